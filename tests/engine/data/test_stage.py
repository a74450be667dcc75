"""The stage as a whole: declared files, facts, examples, and what a person sees when the files are bad."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from engine.cli import main
from engine.config import load
from engine.data.catalogue import titles
from engine.data.sequences import Rows, Sequences
from engine.data.stage import run as data
from engine.errors import DataError
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.runs.schema import ARTIFACTS, CONTROL, STOP, RunInfo, Summary
from engine.stages import ITEMS, ORACLE, PROFILE, SEQUENCES, STAGES, TEST, TEST_HISTORIES, USERS, VALIDATION

SMALL = ["data.world.users=50", "data.world.items=100", "data.world.series=20"]


def finished(root: Path, *overrides: str, name: str = "data-1") -> Path:
    """The artifacts of a run with these settings."""
    folder = root / name
    folder.mkdir()
    RunInfo(name, "data", "try", 1, "f").write(folder)
    with Run.open(folder) as run:
        data(load(list(overrides)), run)
    return folder / ARTIFACTS


def of_user(sequences: Sequences, user: int) -> set[int]:
    positions = np.flatnonzero(sequences.users == user)
    bounds = [(sequences.offsets[position], sequences.offsets[position + 1]) for position in positions]
    return {item for begin, end in bounds for item in sequences.items[begin:end].tolist()}


def test_every_declared_file_is_made_and_no_other(tmp_path: Path) -> None:
    made = {path.name for path in finished(tmp_path, *SMALL).iterdir() if path.is_file()}
    assert made == {artifact.file for artifact in STAGES["data"].makes}


def test_only_the_test_file_holds_the_test_targets(tmp_path: Path) -> None:
    folder = finished(tmp_path, *SMALL)  # in the demo world nobody has an item twice
    test = Rows.load(folder / TEST.file)
    for artifact in (SEQUENCES, TEST_HISTORIES):
        sequences = Sequences.load(folder / artifact.file)
        assert all(
            target not in of_user(sequences, user)
            for user, target in zip(test.users, test.targets.tolist(), strict=True)
        )
    held = Rows.load(folder / VALIDATION.file)
    for user, target in zip(test.users, test.targets, strict=True):
        (row,) = np.flatnonzero(held.users == user)
        assert target not in held.items[held.start[row] : held.stop[row] + 1]


def test_files_fit_together(tmp_path: Path) -> None:
    folder = finished(tmp_path, *SMALL, "data.window=7")
    profile = json.loads((folder / PROFILE.file).read_text())
    items, users = pq.read_table(folder / ITEMS.file), pq.read_table(folder / USERS.file)
    sequences, test = Sequences.load(folder / SEQUENCES.file), Rows.load(folder / TEST.file)
    histories = Sequences.load(folder / TEST_HISTORIES.file)
    assert items["id"].to_pylist() == list(range(1, 101)) and users["user"].to_pylist() == list(range(50))
    assert len(titles(folder / ITEMS.file)) == 101
    assert items["seen"].to_pylist() == np.bincount(sequences.items, minlength=101)[1:].tolist()
    assert load_file(folder / ORACLE.file)["scores"].shape == (len(test), 101)
    assert histories.users.tolist() == test.users.tolist()
    assert (
        histories.items.tolist()
        == np.concatenate([test.items[start:stop] for start, stop in zip(test.start, test.stop, strict=True)]).tolist()
    )  # whole, whatever data.window says
    assert profile["rows"] == {"train": len(sequences.items), "validation": 50, "test": 50}
    assert profile["source"]["format"] == "demo" and profile["source"]["seed"] == 1


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = finished(tmp_path, *SMALL), finished(tmp_path, *SMALL, name="data-2")
    for path in (path for path in one.iterdir() if path.is_file()):
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_facts_are_noted_and_the_first_rows_shown_as_titles(tmp_path: Path) -> None:
    folder = finished(tmp_path, *SMALL).parent
    facts, noticed = Summary.read(folder), history(folder).notices
    assert facts is not None and facts.facts["users"] == 50 and facts.facts["rows"]["test"] == 50
    lines = [event["msg"] for event in noticed if event.get("msg", "").startswith("user ")]
    assert len(lines) == 3 and lines[0].startswith("user 1: ") and lines[0].count(" | ") == 4 and " -> " in lines[0]


def test_a_set_from_files_has_no_oracle_and_names_its_files(tmp_path: Path, sets: Any) -> None:
    sets.write("a.txt", "1 a\n1 b\n1 c\n")
    folder = finished(tmp_path, "data=pairs", f"data.path={sets.folder}", "data.file=a.txt", name="from-files")
    assert not (folder / ORACLE.file).exists()
    source = json.loads((folder / PROFILE.file).read_text())["source"]
    assert source == {"format": "pairs", "version": 1, "files": {"interactions": "a.txt"}}


def test_items_without_titles_and_ids_with_leading_zeros_are_warned_of(tmp_path: Path, sets: Any) -> None:
    sets.write("a.txt", "1 07\n1 7\n1 c\n01 c\n")
    folder = finished(tmp_path, "data=pairs", f"data.path={sets.folder}", "data.file=a.txt", name="untitled").parent
    facts = Summary.read(folder)
    assert facts is not None and facts.facts["untitled_share"] == 1
    heard = [event["msg"] for event in history(folder).notices if event.get("level") == "warning"]
    assert len(heard) == 3 and "users differ" in heard[0] and "items differ" in heard[1] and "'07'" in heard[1]
    assert "3 of 3 items have no title" in heard[2] and "a.txt" in heard[2]


def test_a_stage_that_is_asked_to_stop_stops_before_it_writes(tmp_path: Path) -> None:
    folder = tmp_path / "data-1"
    (folder / CONTROL).mkdir(parents=True)
    RunInfo("data-1", "data", "try", 1, "f").write(folder)
    run = Run(folder)
    (folder / CONTROL / STOP).touch()
    with pytest.raises(Stopped):
        data(load(SMALL), run)
    assert not (folder / ARTIFACTS).exists()


def test_bad_files_leave_no_artifact(tmp_path: Path, sets: Any) -> None:
    sets.write("a.txt", "1 a\n1\n")
    with pytest.raises(DataError):
        finished(tmp_path, "data=pairs", f"data.path={sets.folder}", "data.file=a.txt", name="bad")
    assert not (tmp_path / "bad" / ARTIFACTS).exists()


def test_a_person_sees_cause_location_and_remedy_and_no_traceback(
    tmp_path: Path, sets: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sets.write("set/u.item", "")
    path, runs = tmp_path / "set", str(tmp_path / "runs")
    arguments = ["run", "data", "data=ml-100k", f"data.path={path}", "--runs", runs]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert str(path) in printed.err and "needs u.data" in printed.err and "There is: u.item" in printed.err


def test_a_stage_that_failed_on_its_files_says_the_remedy_too(
    tmp_path: Path, sets: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sets.write("set/a.txt", "1 a\n1\n")
    arguments = ["data=pairs", f"data.path={tmp_path / 'set'}", "data.file=a.txt", "--runs", str(tmp_path / "runs")]
    assert main(["run", "data", *arguments]) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert "a.txt:2: the line '1' is not 'user item'" in printed.err
    assert "Correct or delete this line." in printed.err.splitlines()
