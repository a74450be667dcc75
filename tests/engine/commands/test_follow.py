"""Runs at work, seen from a terminal."""

import io
import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.commands.follow import clock, faults, follow, line, pace, warnings
from engine.jobs.store import Store
from engine.runs.reader import history
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id


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


@pytest.mark.parametrize(
    ("rate", "told"), [(1234.4, "1,234"), (62.4, "62"), (9.94, "9.9"), (1.0, "1.0"), (0.42, "0.42"), (0.0316, "0.03")]
)
def test_a_slow_pace_is_not_told_as_none(rate: float, told: str) -> None:
    assert pace(rate) == told


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


def noted(store: Store) -> Path:
    """A run with a fault, a warning, and something that is over by now."""
    folder = planned(store)
    with Run.open(folder) as run:
        run.health("slow", "warning", "over soon")
        run.health("slow", "info", "over since step 9")
        run.health("explode", "warning", "30 times its own past", ["head"])
        run.health("grad_none", "error", "frozen or \x1b[31mdetached", ["gate"])
        run.scalars(1, {"loss": 1.0})
    return folder


def test_what_looks_wrong_stands_behind_a_run_gravest_first_and_what_is_over_does_not(store: Store) -> None:
    assert faults(store.entry(noted(store))) == "✗ grad_none ⚠ explode"
    assert line(store.entry(noted(store))).endswith("✗ grad_none ⚠ explode")


def test_the_list_of_runs_and_a_run_itself_tell_what_looks_wrong(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = noted(store)
    assert main(["runs", "--runs", str(store.root)]) == 0
    assert "✗ grad_none ⚠ explode" in capsys.readouterr().out
    assert main(["runs", "--json", "--runs", str(store.root)]) == 0
    assert set(json.loads(capsys.readouterr().out)[0]["health"]) == {"slow", "explode", "grad_none"}
    assert main(["show", folder.name, "--runs", str(store.root)]) == 0
    shown = [text.strip() for text in capsys.readouterr().out.splitlines() if text.strip()[:1] in "✗⚠·"]
    assert shown == [
        "✗ grad_none (gate): frozen or detached",
        "⚠ explode (head): 30 times its own past",
        "· slow: over since step 9",
    ]


def test_what_a_stage_warned_of_stands_below_its_last_line_and_in_its_facts_each_once(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = planned(store)
    with Run.open(folder) as run:
        run.log("info", "nothing to see")
        run.log("warning", "too few\x1b[2J items")
        run.log("warning", "too few\x1b[2J items")
    out = io.StringIO()
    follow(store, [folder.name], out)
    assert out.getvalue().splitlines()[-1] == "  ⚠ too few items"
    assert out.getvalue().count("too few") == 1 and "nothing to see" not in out.getvalue()
    assert main(["show", folder.name, "--runs", str(store.root)]) == 0
    assert "  ⚠ too few items" in capsys.readouterr().out.splitlines()


def test_a_run_that_never_began_is_told_without_warnings(store: Store) -> None:
    assert warnings(history(planned(store))) == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (62, "1:02"), (3723, "1:02:03")])
def test_a_duration_reads_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
