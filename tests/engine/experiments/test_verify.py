"""Measured figures against a new run: bands, what is different, and the declared ones against the Markdown."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ConfigError, UserError
from engine.experiments.verify import Change, Made, changes, checked, declared, made_of, of_experiment, of_run
from engine.jobs.store import Store
from engine.runs.schema import RunInfo
from engine.stages import MODELS, STAGES

ROOT = Path(__file__).parents[3]
RESULTS = (ROOT / "conf" / "experiment" / "RESULTS.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def figures(name: str) -> list[tuple[str, str, list[float]]]:
    return [(m, k, values) for m, own in declared()[name]["figures"].items() for k, values in own.items()]


@pytest.mark.parametrize("name", declared())
def test_a_declared_experiment_exists_and_its_bands_hold_what_was_measured(name: str) -> None:
    claim = of_experiment(name, [])
    assert {band.model for band in claim.bands} <= {*claim.config.evaluate.models} <= {*MODELS}
    assert all(band.low <= band.measured <= band.high for band in claim.bands)
    assert {*claim.made.stages} <= {*STAGES}


def test_the_figures_of_the_demo_are_those_of_the_readme_and_of_the_results() -> None:
    block = README.split("```")[1]
    section = RESULTS.split("\n## demo\n")[1].split("\n## ")[0]
    for model, metric, (measured, _, _) in figures("demo"):
        (line,) = [one for one in block.splitlines() if one.startswith(f"{model} ")]
        hr, ndcg = re.findall(r"(0\.\d{4}) ±", line)
        assert f"{measured:.4f}" == {"hr@10": hr, "ndcg@10": ndcg}[metric]
        if metric == "ndcg@10":
            (row, *_) = re.findall(rf"^\| {model}[^|]*\| ([.\d]+) \|", section, re.MULTILINE)
            assert row == f"{measured:.3f}".removeprefix("0")


def test_the_figures_of_movielens_are_those_of_the_results() -> None:
    section = RESULTS.split("\n## ml-100k\n")[1].split("\n## ")[0]
    by_model = {model: measured for model, _, (measured, _, _) in figures("ml-100k")}
    assert f"| student | .{by_model['student'] * 1e4:04.0f} |" in section
    assert f"| .{by_model['popularity'] * 1e3:03.0f} / .080 |" in section


def test_an_experiment_without_figures_is_refused_with_the_likely_name() -> None:
    with pytest.raises(ConfigError, match="no declared figures") as refused:
        of_experiment("dmeo", [])
    assert "demo" in refused.value.remedy


def test_settings_that_are_typed_come_last() -> None:
    claim = of_experiment("ml-100k", ["data.path=somewhere", "seed=2"])
    assert claim.config.seed == 2 and claim.config.data.path == "somewhere"
    assert claim.config.evaluate.models == ["popularity", "student"]


def test_a_run_is_inside_its_own_band_and_nothing_is_different(finished: Path) -> None:
    claim = of_run(Store(finished.parent).entry(finished))
    found = checked(claim, finished)
    assert len(found) == 3 * 3 and all(one.inside and one.value == one.measured for one in found)
    assert changes(claim.made, finished) == []


def test_only_a_finished_evaluation_is_verified(finished: Path) -> None:
    store = Store(finished.parent)
    with pytest.raises(UserError, match="is a student run"):
        of_run(store.find("student-1"))


def test_a_figure_outside_of_its_band_and_a_model_that_is_missing_are_found(finished: Path) -> None:
    claim = of_run(Store(finished.parent).entry(finished))
    high = [replace(band, low=band.measured + 1e-9, high=1.0) for band in claim.bands]
    assert not any(one.inside for one in checked(replace(claim, bands=high), finished))
    (gone, *_) = checked(replace(claim, bands=[replace(claim.bands[0], model="teacher")]), finished)
    assert gone.value is None and not gone.inside


def test_whatever_is_different_is_named(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = made_of(finished)
    before = Made(
        targets="0123456789ab",
        stages={"data": STAGES["data"].version, "student": 0},
        fingerprints=now.fingerprints | {"data": "another"},
        environment={"torch": "2.0.0"},
        device="gpu",
        settings=now.settings | {"student.hidden": 8000, "student.gone": 1},
    )
    assert changes(before, finished) == [
        Change("test targets", "0123456789ab", now.targets),
        Change("version of student", 0, STAGES["student"].version),
        Change("torch", "2.0.0", now.environment.get("torch")),
        Change("device", "gpu", "cpu"),
        Change("student.hidden", 8000, now.settings["student.hidden"]),
        Change("student.gone", 1, None),
        Change("fingerprint of data (settings, version, files or inputs)", "another", "f0"),
    ]
    assert changes(Made(), finished) == []  # nothing was recorded


def test_a_version_without_its_build_is_the_same_version(finished: Path) -> None:
    info = RunInfo.read(finished)
    copy = replace(info, environment={"torch": "2.13.0+cpu", "python": "3.11.7"})
    copy.write(finished)
    try:
        assert changes(Made(environment={"torch": "2.13.0", "python": "3.11.7"}), finished) == []
        assert [one.what for one in changes(Made(environment={"torch": "2.13.0+cu126"}), finished)] == ["torch"]
    finally:
        info.write(finished)
