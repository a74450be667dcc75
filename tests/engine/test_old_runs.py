"""Runs of an earlier version, recorded as it wrote them: its settings have their first names.

``recorded/first-names`` holds a student and an evaluation of a small demo world; what they were made from is not there.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cockpit.services.scan import read_config
from engine import config
from engine.cli import main
from engine.config.renamed import ADDED, ADDED_SECTIONS, FIRST_NAMES, RENAMED
from engine.config.settings.tree import settings
from engine.experiments.plan import fingerprints, pipeline
from engine.report.settings import flat
from engine.runs.schema import CONFIG, RunInfo
from engine.stages import STAGES

RECORDED = Path(__file__).parent / "recorded" / "first-names"
STUDENT, EVALUATION = (next(RECORDED.glob(f"{stage}-*")).name for stage in ("student", "evaluate"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    shutil.copytree(RECORDED, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions that the stages had then: a later one gives another fingerprint, which is meant."""
    for stage, version in {"data": 1, "student": 2}.items():
        monkeypatch.setitem(STAGES, stage, replace(STAGES[stage], version=version))


def renamed_copy(runs: Path, run: str, changed: dict[str, Any]) -> str:
    """The same run as today's version would have written it, with some other settings."""
    name = f"{run[:-4]}0002"
    shutil.copytree(runs / run, runs / name)
    info = json.loads((runs / name / "run.json").read_text())
    (runs / name / "run.json").write_text(json.dumps(info | {"id": name, "experiment": "second"}))
    tree = config.tree_at(runs / run / CONFIG)
    for key, value in changed.items():
        section, _, setting = key.partition(".")
        tree[section][setting] = value
    (runs / name / CONFIG).write_text(yaml.safe_dump(tree))
    return name


def new_word(word: str) -> str:
    """An override with today's name of its setting."""
    key, _, value = word.partition("=")
    return f"{RENAMED.get(key, key)}={value}"


def printed(capsys: pytest.CaptureFixture[str], runs: Path, *words: str) -> str:
    assert main([*words, "--runs", str(runs)]) == 0
    return capsys.readouterr().out


def test_they_are_as_an_earlier_version_wrote_them() -> None:
    text = (RECORDED / EVALUATION / CONFIG).read_text()
    assert all(f" {old.rpartition('.')[2]}:" in text for old in RENAMED)
    added = [key for key in ADDED if key.partition(".")[0] not in ADDED_SECTIONS]
    assert not set(flat(yaml.safe_load(text))) & {*FIRST_NAMES, *added}
    assert not any(f"\n{section}:" in text for section in ADDED_SECTIONS)


def test_a_setting_that_they_lack_has_the_value_of_earlier_behaviour() -> None:
    written = flat(yaml.safe_load((RECORDED / EVALUATION / CONFIG).read_text()))
    lacking = {item.key for item in settings(config.Config)} - {RENAMED.get(key, key) for key in written}
    null = ("teacher.generate.", "data.columns.", "launcher.slurm.")  # sections that the run did not have
    added = {key for key in ADDED if not key.startswith(null)}
    assert {key for key in lacking if not key.startswith(null)} == added, "see engine/config/renamed.py: ADDED"


def test_they_are_listed_and_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = printed(capsys, runs, "runs")
    assert listed.count("DONE") == 2 and STUDENT in listed and EVALUATION in listed
    assert "ndcg@10" in printed(capsys, runs, "show", EVALUATION)
    assert "positions: " in printed(capsys, runs, "show", STUDENT)
    assert printed(capsys, runs, "results").count(EVALUATION) == 5  # a row per model


@pytest.mark.parametrize("run", [STUDENT, EVALUATION])
def test_a_comparison_with_a_new_run_shows_a_setting_under_its_new_name_alone(
    run: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = "student" if run == STUDENT else "evaluate"
    setting, value = ("dropout", 0.123) if run == STUDENT else ("samples", 321)
    other = renamed_copy(runs, run, {f"{section}.{setting}": value})
    told = json.loads(printed(capsys, runs, "compare", run, other, "--json"))
    assert [one["name"] for one in told["settings"] if not one["same"]] == [f"{section}.{setting}"]
    assert not {one["name"] for one in told["settings"]} & RENAMED.keys()


def test_results_of_old_and_new_runs_have_no_column_for_an_old_name(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed_copy(runs, EVALUATION, {})
    rows = json.loads(printed(capsys, runs, "results", "--json"))
    assert len(rows) == 10 and not {*RENAMED, *FIRST_NAMES} & rows[0].keys()


def test_the_cockpit_reads_them_under_the_new_names(runs: Path) -> None:
    found = read_config(runs / STUDENT)
    assert found["teacher.rank.student_weights"] == [0.0, 0.5, 1.0] and found["teacher.rank.slot_dropout"] == 0.5
    assert not RENAMED.keys() & found.keys()


def test_their_configuration_can_be_run_again_and_keeps_its_fingerprint(runs: Path, versions: None) -> None:
    settings, info = config.read(runs / STUDENT / CONFIG), RunInfo.read(runs / STUDENT)
    assert settings.teacher.rank is not None and settings.teacher.rank.pretrain_epochs == 1
    assert fingerprints(pipeline("student", settings), settings, runs)["student"] == info.fingerprint


def test_a_plan_reuses_an_old_run(runs: Path, versions: None, capsys: pytest.CaptureFixture[str]) -> None:
    written = flat(yaml.safe_load((runs / STUDENT / CONFIG).read_text()))
    since = ("temperature", "dropout", "learning_rate", "weight_decay")  # the demo's student has others now
    then = [f"student.{name}={written[f'student.{name}']}" for name in since]
    typed = then + [new_word(word) for word in RunInfo.read(runs / STUDENT).argv[3:]]
    (step,) = json.loads(printed(capsys, runs, "run", "student", *typed, "--plan", "--json"))["steps"]
    assert (step["action"], step["run"]) == ("reuse", STUDENT)
