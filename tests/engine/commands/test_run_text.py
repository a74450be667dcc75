"""One line about a run, its problems and its result."""

from pathlib import Path

import pytest

from engine.commands.run_text import (
    facts,
    problem_codes,
    problem_lines,
    result_text,
    status_line,
    warning_lines,
)
from engine.jobs.store import Store
from engine.runs.reader import history
from engine.runs.run import Run
from engine.runs.schema import Exit, RunInfo, new_id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def planned(store: Store) -> Path:
    return store.create(RunInfo(new_id("student"), "student", "test", 1, "0" * 16), "")


def with_problems(store: Store) -> Path:
    """A run with an error, a warning, and a problem that is over."""
    folder = planned(store)
    with Run.open(folder) as run:
        run.health("slow", "warning", "over soon")
        run.health("slow", "info", "over since step 9")
        run.health("explode", "warning", "30 times its own past", ["head"])
        run.health("grad_none", "error", "frozen or \x1b[31mdetached", ["gate"])
        run.scalars(1, {"loss": 1.0})
    return folder


def test_a_running_run_shows_its_progress_and_its_main_metric(store: Store) -> None:
    folder = planned(store)
    with Run.open(folder) as run:
        run.evaluation(5, {"val_recall@10": 0.25}, best=True)
        run.progress(5, 200, "train", rate=10.0)
        run.note(parameters=1)
        text = status_line(store.entry(folder))
    for part in ("student", "RUNNING", "train 5/200", "10 steps/s", "eta 0:19", "val_recall@10 0.2500", "best 0.2500"):
        assert part in text


def test_a_run_that_has_ended_shows_its_duration_and_reason_on_one_line(store: Store) -> None:
    folder = planned(store)
    Exit(1, 1, None, "", "no space left\nfree some", 125.0, 1, False, 1.0).write(folder)
    text = status_line(store.entry(folder))
    assert "FAILED" in text and "2:05" in text and "\n" not in text


def test_problems_are_listed_errors_first_and_those_that_are_over_are_no_codes(store: Store) -> None:
    entry = store.entry(with_problems(store))
    assert problem_codes(entry) == "✗ grad_none ⚠ explode"
    assert status_line(entry).endswith("✗ grad_none ⚠ explode")
    assert list(problem_lines(entry)) == [
        "  ✗ grad_none (gate): frozen or detached",
        "  ⚠ explode (head): 30 times its own past",
        "  · slow: over since step 9",
    ]


def test_warnings_that_a_stage_logged_are_listed_once_and_cleaned(store: Store) -> None:
    folder = planned(store)
    assert warning_lines(history(folder)) == []  # a run that never began
    with Run.open(folder) as run:
        run.log("info", "nothing to report")
        run.log("warning", "too few\x1b[2J items")
        run.log("warning", "too few\x1b[2J items")
    assert warning_lines(history(folder)) == ["  ⚠ too few items"]


def test_the_noted_facts_are_one_line_each_and_keep_their_values_for_programs(store: Store) -> None:
    folder = planned(store)
    with Run.open(folder) as run:
        run.note(rows=12345, loss=0.123456, ready=True, missing=None, best={"val_recall@10": 0.25})
    entry = store.entry(folder)
    assert result_text(entry).splitlines()[1:] == [
        "  rows: 12,345",
        "  loss: 0.1235",
        "  ready: true",
        "  missing: none",
        "  best: val_recall@10 0.25",
    ]
    assert facts(entry)["rows"] == 12345 and facts(entry)["run"] == folder.name
