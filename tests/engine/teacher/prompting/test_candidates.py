"""Candidates hold the target once and nothing that the user has seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.teacher.prompting.candidates import offered


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_the_target_is_there_once_and_no_seen_item_is(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    history = np.stack([draw.permutation(np.arange(1, 21))[:7] for _ in range(5)])
    history[0, 3:] = 0
    targets = np.asarray([next(item for item in range(1, 21) if item not in row) for row in history])
    found = offered(history, targets, 20, count, draw)
    for row, items in enumerate(found.tolist()):
        assert len(set(items)) == count and min(items) >= 1 and max(items) <= 20
        assert items.count(targets[row]) == 1 and not set(items) & set(history[row].tolist())


def test_the_target_stands_in_every_place_and_every_other_item_is_offered() -> None:
    draw = np.random.default_rng(0)
    found = offered(np.full((4000, 1), 9), np.full(4000, 3), 10, 4, draw)
    places = np.bincount((found == 3).argmax(axis=1), minlength=4)
    assert (abs(places / 4000 - 0.25) < 0.04).all()
    others = np.bincount(found.ravel(), minlength=11)[[1, 2, 4, 5, 6, 7, 8, 10]]
    assert (abs(others / (4000 * 3) - 1 / 8) < 0.02).all()


def test_the_same_seed_draws_the_same() -> None:
    made = [offered(np.ones((3, 2), dtype=int), np.full(3, 5), 30, 6, np.random.default_rng(4)) for _ in range(2)]
    assert np.array_equal(*made)


def test_too_small_a_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match=r"cannot be drawn[\s\S]*at most"):
        offered(np.ones((1, 5), dtype=int), np.asarray([7]), 8, 20, np.random.default_rng(0))
