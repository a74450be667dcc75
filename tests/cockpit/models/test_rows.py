"""What a row may be compared with."""

from cockpit.models.rows import Row, best_rows

METRIC = "val_recall@10"


def row(name: str, score: float, data: str) -> Row:
    return Row(name, "student", best={METRIC: (score, 1.0)}, inputs={"data": data})


def test_a_run_is_held_against_the_best_of_its_own_data_only() -> None:
    best = best_rows([row("a", 0.2, "demo"), row("b", 0.3, "demo"), row("c", 0.9, "ml-100k")])
    assert {run.id for run in best.values()} == {"b", "c"}


def test_not_a_number_is_never_the_best() -> None:
    best = best_rows([row("a", float("nan"), "demo"), row("b", 0.1, "demo")])
    assert [run.id for run in best.values()] == ["b"]
