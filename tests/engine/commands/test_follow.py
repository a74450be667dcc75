"""Runs at work, seen from a terminal."""

import io
from pathlib import Path

import pytest

from engine.commands.follow import clock, follow, line
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.runs.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def planned(store: Store) -> Path:
    return store.create(RunInfo(new_id("student"), "student", "test", 1, "0" * 16), "")


def test_a_running_run_tells_its_progress_and_its_main_metric(store: Store) -> None:
    folder = planned(store)
    with Run.open(folder) as run:
        run.evaluation(5, {"val_recall@10": 0.25}, best=True)
        run.progress(5, 200, "train", rate=10.0)
        run.note(parameters=1)
        text = line(store.entry(folder))
    for word in ("student", "RUNNING", "train 5/200", "10 steps/s", "eta 0:20", "val_recall@10 0.2500"):
        assert word in text


def test_following_ends_when_every_run_has_ended_and_moves_one_line_on_a_terminal(store: Store) -> None:
    folder = planned(store)
    with Run.open(folder):
        pass

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for out, moves in ((io.StringIO(), False), (Terminal(), True)):
        (entry,) = follow(store, [folder.name], out)
        assert entry.state == "DONE"
        assert ("\r" in out.getvalue()) is moves
        assert out.getvalue().endswith("\n")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (62, "1:02"), (3723, "1:02:03")])
def test_a_duration_reads_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
