import math

import numpy as np
import pytest
import torch

from engine.metrics.grounding import scores
from engine.metrics.lists import first_items, grounded, rank_of, shared

SCORES = np.array([9.0, 0.5, 0.9, 0.9, 0.1, 0.7], dtype=np.float32)  # the padding's must never count


def test_the_best_items_come_first_without_padding_and_items_seen() -> None:
    found = first_items(SCORES, [5], 10)
    assert [item for item, _ in found] == [2, 3, 1, 4]
    assert found[0][1] == pytest.approx(0.9)
    assert [item for item, _ in first_items(SCORES, [], 2)] == [2, 3]


def test_a_rank_counts_what_scores_above_and_shares_ties() -> None:
    assert rank_of(SCORES, [], 1) == 4.0
    assert rank_of(SCORES, [2], 1) == 3.0
    assert rank_of(SCORES, [], 3) == 1.5


def test_a_true_item_that_is_hidden_has_no_rank_that_a_list_reaches() -> None:
    assert rank_of(SCORES, [1, 2], 1) == math.inf


def test_scores_that_are_not_numbers_are_refused() -> None:
    broken = SCORES.copy()
    broken[3] = np.nan
    for ask in (lambda: first_items(broken, [], 2), lambda: rank_of(broken, [], 1)):
        with pytest.raises(ValueError, match="not a number"):
            ask()


def test_the_scores_given_stay_as_they_are() -> None:
    first_items(SCORES, [2], 3)
    assert SCORES[0] == 9.0 and SCORES[2] == np.float32(0.9)


def test_what_every_two_lists_share_is_counted() -> None:
    assert shared({"a": [1, 2, 3], "b": [3, 4, 1], "c": [9]}) == [("a", "b", 2), ("a", "c", 0), ("b", "c", 0)]


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_one_answer_is_grounded_as_the_stage_grounds_them(gamma: float) -> None:
    draw = np.random.default_rng(0)
    answers, items = draw.normal(size=(3, 5)).astype(np.float32), draw.normal(size=(9, 5)).astype(np.float32)
    answers[2], popularity = 0, np.asarray([0, 30, 4, 5, 9, 9, 12, 7, 4], dtype=np.float32)
    expected = scores(*(torch.from_numpy(part) for part in (answers, items, popularity)), gamma)
    for row in range(3):
        found = torch.from_numpy(grounded(answers[row], items, popularity, gamma))
        torch.testing.assert_close(found[1:], expected[row, 1:], rtol=1e-4, atol=1e-5)
