"""Candidates: the target once, and negatives outside of the history."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.sequences import Rows
from engine.errors import DataError
from engine.metrics.candidates import chance_of_first, draw, left_out, offered, possible


def histories(count: int, length: int, items: int) -> Rows:
    """Every row has ``length`` items before its target."""
    flat = np.random.default_rng(0).integers(1, items + 1, count * (length + 1)).astype(np.int32)
    start = np.arange(count, dtype=np.int64) * (length + 1)
    return Rows(flat, start, start + length, np.arange(count))


def drawn_for(rows: Rows, items: int, size: int, history: int, seed: int) -> np.ndarray:
    return draw(rows.latest(history), rows.targets, items, size, seed)


def test_every_set_is_the_target_and_other_items_outside_of_the_latest_ten() -> None:
    rows = histories(200, 25, 40)
    drawn = drawn_for(rows, 40, 20, 10, seed=1)
    assert drawn.shape == (200, 20)
    assert (drawn[:, 0] == rows.targets).all()
    assert drawn.min() >= 1
    assert drawn.max() <= 40
    older = 0
    for row in range(200):
        assert len(set(drawn[row].tolist())) == 20
        latest = rows.items[rows.stop[row] - 10 : rows.stop[row]]
        assert not set(drawn[row, 1:].tolist()) & set(latest.tolist())
        older += len(set(drawn[row, 1:].tolist()) & set(rows.items[rows.start[row] : rows.stop[row] - 10].tolist()))
    assert older > 0  # items further back may be negatives, as in the published protocol


def test_short_histories_exclude_only_what_they_hold() -> None:
    rows = Rows(np.array([3, 1, 2], dtype=np.int32), np.array([0, 2]), np.array([1, 2]), np.array([0, 1]))
    drawn = [drawn_for(rows, 30, 20, 10, seed) for seed in range(20)]
    assert drawn[0][:, 0].tolist() == [1, 2]
    assert not any(3 in one[0] for one in drawn)
    assert any(3 in one[1] for one in drawn)  # the second history is empty


def test_negatives_are_uniform_over_what_is_allowed() -> None:
    rows = Rows(
        np.tile(np.array([1, 2, 3], dtype=np.int32), 4000),
        np.arange(4000, dtype=np.int64) * 3,
        np.arange(4000, dtype=np.int64) * 3 + 2,
        np.arange(4000),
    )
    drawn = drawn_for(rows, 12, 4, 2, seed=9)[:, 1:]  # three of the nine items 4..12
    counts = np.bincount(drawn.ravel(), minlength=13)
    assert counts[:4].tolist() == [0, 0, 0, 0]
    expected = 4000 * 3 / 9
    assert np.abs(counts[4:] - expected).max() < 5 * np.sqrt(expected * 2 / 3)


def test_the_seed_alone_decides_the_draw() -> None:
    rows = histories(50, 12, 60)
    assert (drawn_for(rows, 60, 20, 10, seed=1) == drawn_for(rows, 60, 20, 10, seed=1)).all()
    assert (drawn_for(rows, 60, 20, 10, seed=1) != drawn_for(rows, 60, 20, 10, seed=2)).any()


def test_too_few_items_are_an_error_and_can_be_asked_about() -> None:
    rows = histories(5, 12, 29)
    assert possible(30, 20, 10)
    assert not possible(29, 20, 10)
    with pytest.raises(ValueError, match="too few"):
        drawn_for(rows, 29, 20, 10, seed=1)
    assert drawn_for(histories(5, 12, 30), 30, 20, 10, seed=1).shape == (5, 20)  # the least that always ends


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


def test_the_target_stands_in_every_column_and_every_other_item_is_offered() -> None:
    draw = np.random.default_rng(0)
    found = offered(np.full((4000, 1), 9), np.full(4000, 3), 10, 4, draw)
    columns = np.bincount((found == 3).argmax(axis=1), minlength=4)
    assert (abs(columns / 4000 - 0.25) < 0.04).all()
    others = np.bincount(found.ravel(), minlength=11)[[1, 2, 4, 5, 6, 7, 8, 10]]
    assert (abs(others / (4000 * 3) - 1 / 8) < 0.02).all()


def test_the_same_seed_offers_the_same() -> None:
    made = [offered(np.ones((3, 2), dtype=int), np.full(3, 5), 30, 6, np.random.default_rng(4)) for _ in range(2)]
    assert np.array_equal(*made)


def test_too_small_a_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match=r"cannot be drawn[\s\S]*at most"):
        offered(np.ones((1, 5), dtype=int), np.asarray([7]), 8, 20, np.random.default_rng(0))


@pytest.mark.parametrize(("pool", "ahead"), [(6, 0), (6, 1), (6, 3), (6, 4), (6, 6), (4, 1)])
def test_the_chance_of_the_first_place_is_the_share_of_all_draws_without_an_item_ahead(pool: int, ahead: int) -> None:
    sets = list(combinations(range(pool), 3))
    share = sum(min(drawn) >= ahead for drawn in sets) / len(sets)
    assert chance_of_first(np.array([ahead]), np.array([pool]), 3) == pytest.approx([share], abs=1e-12)


def test_what_is_left_out_is_the_history_without_its_target_and_repeats() -> None:
    latest = np.array([[0, 0, 7, 3, 7], [4, 2, 4, 4, 9], [0, 0, 0, 0, 0]], dtype=np.int32)
    found = left_out(latest, np.array([3, 5, 1]))
    assert [sorted(row[row > 0].tolist()) for row in found] == [[7], [2, 4, 9], []]
