"""What a row knows of its run, and what it may be compared with."""

import pytest

from cockpit.models.rows import Row, best_rows

METRIC = "val_recall@10"


def row(name: str, score: float, data: str) -> Row:
    return Row(name, "student", best={METRIC: (score, 1.0)}, inputs={"data": data})


def test_a_run_is_held_against_the_best_of_its_own_data_only() -> None:
    best = best_rows([row("a", 0.2, "demo"), row("b", 0.3, "demo"), row("c", 0.9, "ml-100k")])
    assert {run.id for run in best.values()} == {"b", "c"}


def test_a_teacher_that_generates_titles_has_its_own_metric_and_is_held_against_its_like_only() -> None:
    generating = [Row(name, "teacher", last={"candidate_hr@1": value}) for name, value in (("a", 0.2), ("b", 0.4))]
    ranking = [Row(name, "teacher", last={METRIC: value}) for name, value in (("c", 0.1), ("d", 0.08))]
    assert [run.metric for run in (*generating, *ranking)] == ["candidate_hr@1"] * 2 + [METRIC] * 2
    assert {run.id for run in best_rows([*generating, *ranking]).values()} == {"b", "c"}


def test_not_a_number_is_never_the_best() -> None:
    best = best_rows([row("a", float("nan"), "demo"), row("b", 0.1, "demo")])
    assert [run.id for run in best.values()] == ["b"]


def test_the_lower_value_is_better_for_a_metric_to_minimise(monkeypatch) -> None:
    monkeypatch.setattr("cockpit.models.rows.main_metric", lambda stage, reported: ("perplexity", "min"))
    rows = [Row(name, "backbone", last={"perplexity": value}) for name, value in (("a", 9.0), ("b", 7.0), ("c", 8.0))]
    assert [run.id for run in best_rows(rows).values()] == ["b"]


def test_the_best_value_stands_before_the_last_one_unless_one_is_asked_for() -> None:
    run = Row("a", "student", last={METRIC: 0.2, "loss": 1.0}, best={METRIC: (0.3, 5.0)})
    assert (run.value(METRIC), run.value(METRIC, "last"), run.value(METRIC, "best")) == (0.3, 0.2, 0.3)
    assert run.value("loss") == 1.0 and run.value("loss", "best") is None and run.value("none") is None
    assert run.score == 0.3 and Row("b", "data").score is None


@pytest.mark.parametrize(
    ("levels", "worst"),
    [([], ""), (["info"], "info"), (["info", "error", "warning"], "error"), (["info", "odd"], "info")],
)
def test_the_level_of_a_run_is_that_of_its_worst_note(levels: list[str], worst: str) -> None:
    notes = {str(index): {"level": level} for index, level in enumerate(levels)}
    assert Row("a", "student", health=notes).level == worst


def test_progress_is_a_share_of_the_total_and_whole_when_the_run_is_done() -> None:
    assert Row("a", "student", step=50, total=200).share == 0.25
    assert Row("a", "student", step=300, total=200).share == 1.0
    assert Row("a", "student", step=50).share is None
    assert Row("a", "student", state="DONE").share == 1.0


def test_the_short_name_has_neither_stage_nor_century() -> None:
    assert Row("student-20260921-141320-0001", "student").name == "260921-141320-0001"


def test_the_figure_of_a_run_is_that_of_its_kept_checkpoint():
    row = Row("student-1", "student", best={"val_recall@10": (0.09, 30)}, kept={"val_recall@10": (0.08, 20)})
    assert row.score == 0.08 and row.value("val_recall@10", "best") == 0.09
