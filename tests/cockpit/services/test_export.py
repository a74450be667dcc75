"""CSV that holds everything and executes nothing."""

import csv

import pytest

from cockpit.services import export
from cockpit.services.scan import read_row
from cockpit.services.tail import RunFollower
from engine.runs.schema import Meta

NOW = 1_790_000_000.0


def rows_of(file):
    with file.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_line_a_run_with_the_settings_that_differ(maker, world, tmp_path):
    rows = [read_row(maker.root / world[name], NOW) for name in ("student", "second")]
    assert export.table(tmp_path / "a.csv", rows, maker.root) == 2
    first, second = rows_of(tmp_path / "a.csv")
    assert first["student.lr"] == "0.001" and second["student.lr"] == "0.0009"
    assert "student.hidden" not in first and first["seed"] == "1" and second["seed"] == "2"
    assert float(first["best val_recall@10"]) == pytest.approx(0.0884, abs=1e-4) and first["state"] == "DONE"


def test_text_that_a_spreadsheet_would_execute_is_disarmed(maker, tmp_path):
    folder = maker.planned(experiment="=cmd|' /C calc'!A0")
    Meta(note="+1+1", tags=["@x"]).write(folder)
    export.table(tmp_path / "a.csv", [read_row(folder, NOW)], maker.root)
    (line,) = rows_of(tmp_path / "a.csv")
    assert line["experiment"].startswith("'=") and line["note"] == "'+1+1" and line["tags"] == "'@x"


def test_curves_have_one_line_a_point(maker, world, tmp_path):
    follower = RunFollower(maker.root / world["student"])
    follower.poll(1.0)
    count = export.curves(tmp_path / "c.csv", {"s": follower.data})
    lines = rows_of(tmp_path / "c.csv")
    assert count == len(lines) == sum(series.count for series in follower.data.series.values())
    loss = [line for line in lines if line["metric"] == "loss"]
    assert loss[0]["step"] == "10.0" and loss[0]["epoch"] == "0.5"


def test_a_file_that_is_there_is_not_written_over(maker, world, tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(FileExistsError):
        export.table(tmp_path / "a.csv", [], maker.root)


def test_the_steps_of_a_training_are_those_it_did_whatever_it_reported_last(maker, tmp_path):
    def report(run, tick):
        run.progress(400, 400, "train")
        run.note(steps=400)
        run.progress(2, 2, "compare", unit="models")

    folder = maker.ended(maker.reported(maker.planned(), report, end="done"))
    export.table(tmp_path / "a.csv", [read_row(folder, NOW)], maker.root)
    (line,) = rows_of(tmp_path / "a.csv")
    assert (line["step"], line["total"], line["unit"]) == ("400", "400", "steps")
