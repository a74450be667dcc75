"""Run folders as DataFrames: of finished runs, of runs at work, of runs that have nothing."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.numpy import load_file

import engine
from engine.cli import main
from engine.errors import RunError
from engine.notebook.columns import GATES, TABLES, Table
from engine.notebook.start import RunHandle
from engine.runs.run import Run
from engine.runs.schema import RunInfo
from engine.stages import GATE_WEIGHTS

README = Path(__file__).parents[3] / "README.md"


def check(table: Table, frame: pd.DataFrame) -> None:
    assert list(frame)[: len(table.columns)] == [column.name for column in table.columns]
    assert {name: str(frame[name].dtype) for name in table.dtypes} == table.dtypes
    assert table.more or len(frame.columns) == len(table.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_frame_has_the_declared_columns_with_and_without_rows(table: Table, small_runs: Any, tmp_path: Path) -> None:
    filled = getattr(engine.open(small_runs.runs), table.name)()
    assert len(filled)
    empty = getattr(engine.open(tmp_path), table.name)()
    assert len(empty) == 0
    for frame in (filled, empty):
        check(table, frame)


def test_metrics_are_what_the_results_command_prints(seeds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs = engine.open(seeds.store.root)
    for words, every in (([], False), (["--all"], True)):
        assert main(["results", "--json", *words, "--runs", str(seeds.store.root)]) == 0
        printed = pd.DataFrame(json.loads(capsys.readouterr().out))
        frame = runs.metrics(every=every)
        for column in ("run", "model", "ndcg@10", "hide_seen", "train_seconds", "student.dropout"):
            assert list(frame[column].fillna(-1)) == list(printed[column].fillna(-1))


def test_the_mean_over_the_ranks_is_the_reported_metric(seeds: Any) -> None:
    runs = engine.open(seeds.store.root)
    ranks, metrics = runs.ranks(), runs.metrics()
    means = (1 / ranks["rank"]).groupby([ranks["run"], ranks["model"]]).mean()
    assert len(means) == len(metrics) == 12
    for row in metrics.itertuples():
        assert means[row.run, row.model] == pytest.approx(row.mrr, abs=1e-9)
    assert len(runs.ranks(every=True)) == 2 * len(ranks)


def test_runs_are_named_by_id_by_a_part_of_it_by_last_and_by_experiment(seeds: Any) -> None:
    runs = engine.open(seeds.store.root)
    every = runs.runs()
    assert set(runs.runs("drop0.4")["experiment"]) == {"drop0.4"}
    assert list(runs.runs("last")["run"]) == [every["run"].iloc[-1]]
    assert list(runs.runs(every["run"][0], every["run"][0][:-2])["run"]) == [every["run"][0]]
    with pytest.raises(RunError, match="there is no run 'nothing'"):
        runs.runs("nothing")


def test_settings_that_differ_tell_the_runs_apart(seeds: Any) -> None:
    runs = engine.open(seeds.store.root)
    assert len(runs.settings()) == len(runs.runs()) and len(runs.settings().columns) > 100
    assert list(runs.settings(differing=True)) == ["run", "student.dropout"]
    assert list(runs.settings("last", differing=True)) == ["run"]


def test_curves_hold_what_counts_after_a_resumed_attempt_and_events_hold_everything(tmp_path: Path) -> None:
    folder = tmp_path / "student-1"
    folder.mkdir()
    RunInfo(folder.name, "student", "try", 1, "f").write(folder)
    with Run.open(folder) as run:
        for step in (10, 20, 30):
            run.scalars(step, {"loss": float(step)})
        run.resumed(20)
        run.scalars(30, {"loss": 0.5})
        runs = engine.open(tmp_path)
        at_work = runs.runs()
        assert list(at_work["state"]) == ["RUNNING"] and at_work["ended"].isna().all()
        assert list(runs.curves()["value"]) == [10.0, 20.0, 0.5]
        events = runs.events()
        assert [one["m"]["loss"] for one in events.loc[events["kind"] == "s", "fields"]] == [10.0, 20.0, 30.0, 0.5]
        assert list(events["sequence"]) == list(range(len(events)))
    assert list(runs.runs()["state"]) == ["DONE"]


def test_a_curve_has_a_row_per_step_and_a_column_per_run(world: Any) -> None:
    first = world.student("a", 1, values=(0.1, 0.2, 0.15))
    second = world.student("a", 2, values=(0.3,))
    curve = engine.open(world.store.root).curve("val_ndcg@10")
    assert list(curve.index) == [10, 20, 30] and list(curve) == [first, second]
    assert list(curve[first]) == [0.1, 0.2, 0.15] and list(curve[second].dropna()) == [0.3]
    assert engine.open(world.store.root).curve("val_ndcg@10", second).shape == (1, 1)


@pytest.mark.skipif(not find_spec("matplotlib"), reason="pandas draws with matplotlib, which is not installed")
def test_a_curve_is_drawn_with_a_line_per_run(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    for seed in (1, 2):
        world.student("a", seed)
    assert len(engine.open(world.store.root).curve("val_ndcg@10").plot().lines) == 2


def test_gate_weights_are_found_from_whatever_was_made_of_them(small_runs: Any) -> None:
    runs = engine.open(small_runs.runs)
    gates = runs.gates("evaluate")
    stored = load_file(small_runs.made("knowledge", GATE_WEIGHTS))
    assert set(gates["run"]) == {"knowledge"}
    experts = [name for name in gates if name.startswith("e")]
    assert (gates[experts].sum(axis=1) - 1).abs().max() < 1e-3
    for split, name in (("train", "weights"), ("validation", "validation"), ("test", "test")):
        part = gates[gates["split"] == split]
        assert (part[experts].to_numpy() == stored[name].astype("float64")).all()
    assert list(gates.loc[gates["split"] == "train", "row"]) == stored["rows"].tolist()
    assert len(runs.gates("data")) == 0 and list(runs.gates("data")) == [one.name for one in GATES.columns]


def test_the_frames_of_a_run_are_those_of_what_it_was_made_from(small_runs: Any) -> None:
    frames = RunHandle(engine.open(small_runs.runs).store, "teacher", {}).frames
    assert {*frames.runs()["run"]} == {"data", "student", "backbone", "teacher"}
    assert {*frames.curves()["run"]} == {"student", "backbone", "teacher"}


def test_the_folder_comes_from_the_environment_and_has_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: Any
) -> None:
    monkeypatch.setenv("ENGINE_RUNS", str(seeds.store.root))
    assert len(engine.open().runs()) == len(seeds.store.scan())
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file"):
        engine.open(tmp_path / "file")


def test_the_example_of_the_readme_runs(small_runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    started: list[tuple[str, dict[str, Any]]] = []

    def run(stage: str, settings: dict[str, Any]) -> Any:
        started.append((stage, settings))
        return RunHandle(engine.open(tmp_path / "runs").store, "evaluate", {})

    monkeypatch.setattr(engine, "run", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(small_runs.runs)
    lines = block if find_spec("matplotlib") else "\n".join(one for one in block.splitlines() if ".plot()" not in one)
    values: dict[str, Any] = {}
    exec(lines, values)
    assert started and set(values["job"].frames.metrics()["model"]) == {"student", "teacher", "distilled"}
