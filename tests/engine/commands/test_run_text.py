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
    for part in ("student", "RUNNING", "train 5/200", "10 steps/s", "eta 0:19", "val_recall@10 0.2500", "kept 0.2500"):
        assert part in text


@pytest.mark.parametrize(
    ("stage", "metric", "values", "words"),
    [
        ("student", "val_recall@10", (0.3, 0.25, 0.2), "0.2000  kept 0.2500  max 0.3000"),  # NDCG chooses
        ("student", "val_recall@10", (0.2, 0.3, 0.25), "0.2500  kept 0.3000"),
        ("teacher", "candidate_hr@1", (0.1, 0.3, 0.2), "0.2000  kept 0.3000"),  # of one that generates titles
        ("backbone", "val_loss", (3.0, 2.0, 4.0), "4.0000  kept 2.0000"),
        ("backbone", "val_loss", (1.0, 2.0, 4.0), "4.0000  kept 2.0000  min 1.0000"),
    ],
)
def test_the_figure_of_the_kept_weights_comes_first_and_the_best_is_by_the_metrics_direction(
    store: Store, stage: str, metric: str, values: tuple[float, ...], words: str
) -> None:
    folder = store.create(RunInfo(new_id(stage), stage, "test", 1, "0" * 16), "")
    with Run.open(folder) as run:
        for step, value in enumerate(values, 1):
            run.evaluation(step, {metric: value}, best=step == 2)
    assert status_line(store.entry(folder)).endswith(f"{metric} {words}")


def test_a_run_that_keeps_no_weights_shows_the_best_figure(store: Store) -> None:
    folder = store.create(RunInfo(new_id("backbone"), "backbone", "test", 1, "0" * 16), "")
    with Run.open(folder) as run:
        for step, value in enumerate((3.0, 2.0, 4.0), 1):
            run.evaluation(step, {"val_loss": value})
    assert status_line(store.entry(folder)).endswith("val_loss 4.0000  best 2.0000")


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
