"""``engine runs``, ``engine show`` and ``engine logs`` over recorded runs."""

import json
from pathlib import Path

import pytest

from engine import config
from engine.cli import main
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import CONFIG, CONSOLE, RunInfo, new_id
from engine.wire import ShownRun, read

Captured = pytest.CaptureFixture[str]


def finished(store: Store, stage: str = "data", experiment: str = "try", **inputs: str) -> str:
    """A run that has ended well."""
    info = RunInfo(new_id(stage), stage, experiment, 1, "0" * 16, inputs=inputs)
    with Run.open(store.create(info, "")) as run:
        run.note(items=3)
    return info.id


def test_states_and_facts_are_shown_and_control_sequences_are_not(tmp_path: Path, capsys: Captured) -> None:
    run = finished(Store(tmp_path), experiment="label\x1b]0;owned\x07")
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert main(["show", "last", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(part in printed for part in (run, "DONE", "items: 3"))
    assert "\x1b" not in printed


def test_the_settings_of_a_shown_run_that_are_no_defaults_are_read_by_the_cockpit(
    tmp_path: Path, capsys: Captured
) -> None:
    run = finished(Store(tmp_path))
    assert main(["show", run, "--runs", str(tmp_path), "--json"]) == 0
    assert read(list[ShownRun], json.loads(capsys.readouterr().out))[0].changed is None  # its file is empty
    (tmp_path / run / CONFIG).write_text(config.dump(config.load(["data.world.users=77"])))
    assert main(["show", run, "--runs", str(tmp_path), "--json"]) == 0
    (shown,) = read(list[ShownRun], json.loads(capsys.readouterr().out))
    assert (shown.run, shown.changed) == (run, {"data.world.users": [77, config.load().data.world.users]})


def test_filters_keep_the_runs_that_contain_them_all(tmp_path: Path, capsys: Captured) -> None:
    store = Store(tmp_path)
    data = finished(store)
    finished(store, "student", data=data)
    assert main(["runs", "student", "done", "--runs", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["stage"] == "student" and row["inputs"] == {"data": data}


def test_wide_characters_in_a_label_keep_the_columns_in_line(tmp_path: Path, capsys: Captured) -> None:
    for experiment in ("plain", "千と千尋の神隠し" * 3):
        finished(Store(tmp_path), experiment=experiment)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    from rich.cells import cell_len

    lines = capsys.readouterr().out.splitlines()
    assert len({cell_len(line[: line.index("0s")]) for line in lines[1:]}) == 1


def test_an_empty_folder_shows_how_to_start(tmp_path: Path, capsys: Captured) -> None:
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "engine run" in capsys.readouterr().err


def test_problems_are_in_the_list_and_in_the_facts_of_a_run(tmp_path: Path, capsys: Captured) -> None:
    store = Store(tmp_path)
    folder = store.create(RunInfo(new_id("student"), "student", "test", 1, "0" * 16), "")
    with Run.open(folder) as run:
        run.health("explode", "warning", "30 times its own past", ["head"])
        run.log("warning", "too few items")
        for step, value in enumerate((0.2, 0.3), 1):
            run.evaluation(step, {"val_recall@10": value}, best=True)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "⚠ explode" in capsys.readouterr().out
    assert main(["runs", "--json", "--runs", str(tmp_path)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert set(row["health"]) == {"explode"} and (row["metric"], row["best"]) == ("val_recall@10", 0.3)
    assert main(["show", folder.name, "--runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "  ⚠ explode (head): 30 times its own past\n" in shown and "  ⚠ too few items\n" in shown
    assert "0.300" in shown  # an axis label of the curve


def test_the_list_shows_the_figure_of_the_weights_that_are_kept(tmp_path: Path, capsys: Captured) -> None:
    store = Store(tmp_path)
    for stage, metric, values in (("student", "val_recall@10", (0.3, 0.2)), ("backbone", "val_loss", (1.0, 2.0))):
        with Run.open(store.create(RunInfo(new_id(stage), stage, "test", 1, "0" * 16), "")) as run:
            for step, value in enumerate(values, 1):
                run.evaluation(step, {metric: value}, best=step == 2)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "val_recall@10 0.2000" in shown and "val_loss 2.0000" in shown
    assert main(["runs", "--json", "--runs", str(tmp_path)]) == 0
    rows = {row["stage"]: (row["kept"], row["best"]) for row in json.loads(capsys.readouterr().out)}
    assert rows == {"student": (0.2, 0.3), "backbone": (2.0, 1.0)}


def test_the_console_of_one_run_is_printed_cleaned(tmp_path: Path, capsys: Captured) -> None:
    run = finished(Store(tmp_path))
    (tmp_path / run / CONSOLE).write_bytes(b"first\x1b[2J line\nsecond\n")
    assert main(["logs", "--runs", str(tmp_path)]) == 0  # the last run
    assert capsys.readouterr().out.splitlines() == ["first line", "second"]
    assert main(["logs", run, run, "--runs", str(tmp_path)]) == 2
    assert "engine logs ID" in capsys.readouterr().err
