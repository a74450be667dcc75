import numpy as np
import pytest

from engine.data.sequences import Rows
from engine.evaluate.candidates import draw, possible


def histories(count: int, length: int, items: int) -> Rows:
    """Every row has ``length`` items before its target."""
    flat = np.random.default_rng(0).integers(1, items + 1, count * (length + 1)).astype(np.int32)
    start = np.arange(count, dtype=np.int64) * (length + 1)
    return Rows(flat, start, start + length, np.arange(count))


def test_every_set_is_the_target_and_other_items_outside_of_the_latest_ten() -> None:
    rows = histories(200, 25, 40)
    drawn = draw(rows, 40, 20, 10, seed=1)
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
    drawn = [draw(rows, 30, 20, 10, seed) for seed in range(20)]
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
    drawn = draw(rows, 12, 4, 2, seed=9)[:, 1:]  # three of the nine items 4..12
    counts = np.bincount(drawn.ravel(), minlength=13)
    assert counts[:4].tolist() == [0, 0, 0, 0]
    expected = 4000 * 3 / 9
    assert np.abs(counts[4:] - expected).max() < 5 * np.sqrt(expected * 2 / 3)


def test_the_seed_alone_decides_the_draw() -> None:
    rows = histories(50, 12, 60)
    assert (draw(rows, 60, 20, 10, seed=1) == draw(rows, 60, 20, 10, seed=1)).all()
    assert (draw(rows, 60, 20, 10, seed=1) != draw(rows, 60, 20, 10, seed=2)).any()


def test_too_few_items_are_an_error_and_can_be_asked_about() -> None:
    rows = histories(5, 12, 29)
    assert possible(30, 20, 10)
    assert not possible(29, 20, 10)
    with pytest.raises(ValueError, match="too few"):
        draw(rows, 29, 20, 10, seed=1)
    assert draw(histories(5, 12, 30), 30, 20, 10, seed=1).shape == (5, 20)  # the least that always ends
