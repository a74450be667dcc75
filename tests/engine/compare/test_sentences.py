"""Which sentence a difference deserves."""

import pytest

from engine.compare.differences import ROWS, SEEDS
from engine.compare.sentences import sentence
from engine.wire import GroupDifference


def difference(over: str, verdict: str, n: int = 3) -> GroupDifference:
    certain = n > 1
    low, high = (0.01, 0.03) if certain else (None, None)
    return GroupDifference(0, 1, 0.02, 6.1, low, high, 0.01, 0.03, n, over, verdict)


@pytest.mark.parametrize(
    ("seeds", "rows", "begins"),
    [
        (difference(SEEDS, "better"), difference(ROWS, "better", 60), "B is better than A (student):"),
        (difference(SEEDS, "worse"), difference(ROWS, "worse", 60), "B is worse than A (student):"),
        (difference(SEEDS, "better"), None, "B is better than A (student):"),  # of a training
        (
            difference(SEEDS, "better"),
            difference(ROWS, "undecided", 60),
            "B ranks better than A (student) here, but other users may",
        ),
        (
            difference(SEEDS, "undecided"),
            difference(ROWS, "better", 60),
            "B ranks better than A (student) here, but another seed may",
        ),
        (
            difference(SEEDS, "undecided", 1),
            difference(ROWS, "better", 60),
            "B ranks better than A (student) here, but another seed",
        ),
        (
            difference(SEEDS, "undecided", 0),
            difference(ROWS, "better", 60),
            "B ranks better than A (student) here, but another seed",
        ),
        (difference(SEEDS, "undecided"), difference(ROWS, "undecided", 60), "B and A (student) cannot be told apart:"),
        (None, None, "B and A (student) share no ndcg@10."),
    ],
)
def test_better_is_said_only_where_all_that_was_tested_says_so(
    seeds: GroupDifference | None, rows: GroupDifference | None, begins: str
) -> None:
    kinds = {one.over: one for one in (seeds, rows) if one is not None}
    assert sentence("A", "B", "student", "ndcg@10", kinds, {}).startswith(begins)


def test_a_difference_stands_beside_its_intervals() -> None:
    kinds = {SEEDS: difference(SEEDS, "better"), ROWS: difference(ROWS, "better", 1200)}
    assert sentence("A", "B", None, "ndcg@10", kinds, {}) == (
        "B is better than A: ndcg@10 +0.0200 (+6.1 %); 95 % interval over 3 seeds +0.0100 to +0.0300, Holm's p 0.0300; "
        "95 % interval over 1,200 rows +0.0100 to +0.0300, Holm's p 0.0300."
    )


@pytest.mark.parametrize(
    ("verdict", "below", "begins"),
    [
        ("better", {"B": "titles"}, "B ranks above A (student), but below titles, which needs no training: not called"),
        ("worse", {"A": "titles"}, "A ranks above B (student), but below titles, which needs no training: not called"),
        ("better", {"A": "titles"}, "B is better than A (student):"),  # the loser may be as bad as it likes
        ("worse", {"B": "titles"}, "B is worse than A (student):"),
    ],
)
def test_no_side_below_an_untrained_model_is_called_better(verdict: str, below: dict[str, str], begins: str) -> None:
    kinds = {SEEDS: difference(SEEDS, verdict), ROWS: difference(ROWS, verdict, 60)}
    assert sentence("A", "B", "student", "ndcg@10", kinds, below).startswith(begins)
