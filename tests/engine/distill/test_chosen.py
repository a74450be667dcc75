"""Positions of a term, as few as count or as many in every batch."""

from collections import Counter

import pytest
import torch

from engine.distill import chosen

COUNTS = torch.tensor([False, True, True, False, True, False, True, True])


def test_a_mean_is_that_of_the_positions_that_count() -> None:
    values = torch.tensor([9.0, 1.0, 2.0, 9.0, 3.0, 9.0, 4.0, 5.0])
    few, all_of = chosen.counting(COUNTS), chosen.all_of(COUNTS)
    assert few.positions.tolist() == [1, 2, 4, 6, 7]
    assert few.mean(values[few.positions]) == all_of.mean(values[all_of.positions]) == 3.0
    wide = torch.stack([values, -values], dim=1)
    assert all_of.mean(wide) == 0.0
    assert chosen.all_of(torch.zeros(8, dtype=torch.bool)).mean(values) == 0.0


def test_a_sum_over_positions_that_do_not_count_is_zero() -> None:
    all_of = chosen.all_of(COUNTS)
    assert all_of.zeroed(torch.ones(8, 2)).sum() == 10.0 and all_of.weights is not None
    assert all_of.weights.tolist() == [0, 1, 1, 0, 1, 0, 1, 1]
    assert all_of.filled(torch.arange(8), 3).tolist() == [3, 1, 2, 3, 4, 3, 6, 7]
    assert chosen.counting(COUNTS).weights is None


@pytest.mark.parametrize("which", [chosen.counting, chosen.all_of])
def test_every_position_that_counts_is_drawn_as_often(which: object) -> None:
    generator, seen = torch.Generator().manual_seed(0), Counter[int]()
    for _ in range(600):
        some = chosen.drawn(which(COUNTS), 2, generator)  # type: ignore[operator]
        assert len(set(some.positions.tolist())) == 2 and (some.counted is None or some.counted.all())
        seen.update(some.positions.tolist())
    assert set(seen) == {1, 2, 4, 6, 7} and min(seen.values()) > 180 and max(seen.values()) < 300  # 240 each


def test_where_too_few_count_the_others_fill_up() -> None:
    counts = torch.tensor([False, True, False, False])
    some = chosen.drawn(chosen.all_of(counts), 3, torch.Generator().manual_seed(0))
    assert some.counted is not None and some.counted.tolist() == [True, False, False] and some.positions[0] == 1
    assert chosen.drawn(chosen.all_of(counts), None, torch.Generator()).positions.tolist() == [0, 1, 2, 3]


def test_the_first_positions_that_count_come_first() -> None:
    few, filled = chosen.first_of(chosen.counting(COUNTS), 3), chosen.first_of(chosen.all_of(COUNTS), 6)
    assert few.positions.tolist() == [1, 2, 4] and filled.positions.tolist() == [1, 2, 4, 6, 7, 0]
    assert filled.counted is not None and filled.counted.tolist() == [True] * 5 + [False]
