"""Windows are what they should be, once per user and epoch, and the same ones whenever they are asked for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.student.batches import Batch, BatchSampler, histories
from tests.fixtures.students import sequences_of

Make = Callable[[list[list[int]]], Sequences]
LONG = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [11, 12, 13], [21], [31, 32], [41, 42, 43, 44, 45]]


def sampler(sequences: Sequences, **changes: object) -> BatchSampler:
    given = {"length": 4, "batch": 2, "seed": 1, "random": True} | changes
    return BatchSampler(sequences, **given)  # type: ignore[arg-type]


def pairs(batch: Batch) -> list[tuple[int, int]]:
    real = batch.targets != 0
    return list(zip(batch.items[real].tolist(), batch.targets[real].tolist(), strict=True))


@pytest.mark.parametrize("same_shapes", [False, True])
def test_every_target_is_the_item_after_its_input(make_sequences: Make, same_shapes: bool) -> None:
    made = sampler(make_sequences(LONG), same_shapes=same_shapes)
    seen = [pair for step in range(3 * made.per_epoch) for pair in pairs(made(step))]
    assert seen and all(target == item + 1 for item, target in seen)


@pytest.mark.parametrize("same_shapes", [False, True])
def test_a_batch_tells_where_its_targets_stand_among_all_events(make_sequences: Make, same_shapes: bool) -> None:
    sequences = make_sequences(LONG)
    made = sampler(sequences, same_shapes=same_shapes)
    for step in range(2 * made.per_epoch):
        batch = made(step)
        real = batch.targets != 0
        assert np.array_equal(sequences.items[batch.events[real].numpy()], batch.targets[real].numpy())


def test_an_epoch_shows_every_user_with_a_next_item_once(make_sequences: Make) -> None:
    made = sampler(make_sequences(LONG))
    for epoch in range(4):
        batches = [made(epoch * made.per_epoch + batch) for batch in range(made.per_epoch)]
        users = sorted(item // 10 for batch in batches for item in batch.items[batch.packed.order == 0].tolist())
        assert users == [0, 1, 3, 4]
        assert sum(batch.positions for batch in batches) == 4 + 2 + 1 + 4


def test_random_windows_reach_every_part_of_a_long_history_and_last_ones_only_its_end(make_sequences: Make) -> None:
    sequences = make_sequences([list(range(1, 31))])
    starts = {int(sampler(sequences)(step).items[0]) for step in range(400)}
    assert starts == set(range(1, 27))  # the last window that still has a target for each of its 4 inputs
    assert {int(sampler(sequences, random=False)(step).items[0]) for step in range(5)} == {26}


def test_a_batch_depends_on_seed_and_step_alone(make_sequences: Make) -> None:
    one, other = sampler(make_sequences(LONG)), sampler(make_sequences(LONG))
    ahead = [one(step) for step in range(7)]
    for step in (5, 2, 6, 0):
        assert torch.equal(other(step).items, ahead[step].items)
    orders = {tuple(sampler(make_sequences(LONG), seed=seed)(0).items.tolist()) for seed in range(5)}
    assert len(orders) > 1


def test_a_full_grid_holds_the_same_windows(make_sequences: Make) -> None:
    flat, grid = sampler(make_sequences(LONG))(1), sampler(make_sequences(LONG), same_shapes=True)(1)
    assert pairs(flat) == pairs(grid)
    assert grid.weights is not None and grid.weights.sum() == flat.positions == len(flat.items)
    assert len(grid.items) == grid.packed.rows * 4


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12), last_position=st.booleans())
def test_the_slots_of_a_grid_hold_its_positions_with_a_target_and_count_no_other(
    lengths: list[int], last_position: bool
) -> None:
    histories = [list(range(1, 1 + length)) for length in [*lengths, 2]]
    made = sampler(sequences_of(histories), batch=3, same_shapes=True, last_position=last_position)
    for step in range(2 * made.per_epoch):
        batch = made(step)
        positions, counted = batch.with_target()
        assert positions[counted > 0].tolist() == batch.targets.nonzero()[:, 0].tolist()
        assert len(positions) == len(counted) <= len(batch.items) and int(counted.sum()) == batch.positions
        assert len(positions) in (len(batch.items), *range(0, 13, 2))  # eighths of 12, rounded up


@pytest.mark.parametrize("same_shapes", [False, True])
def test_with_last_position_windows_reach_every_last_event_which_has_no_target(
    make_sequences: Make, same_shapes: bool
) -> None:
    sequences = make_sequences(LONG)
    made, ended = sampler(sequences, same_shapes=same_shapes, last_position=True), set()
    for step in range(20 * made.per_epoch):
        batch = made(step)
        known = batch.targets != 0
        assert all(target == item + 1 for item, target in pairs(batch))
        assert batch.positions == made.positions(step) == known.sum()
        assert batch.weights is not None and torch.equal(batch.weights, known.float())
        assert not (batch.last_position & known).any() and (batch.last_position | known == (batch.items != 0)).all()
        ended |= set(batch.items[batch.last_position].tolist())
        assert np.isin(batch.events[batch.last_position].numpy(), sequences.offsets[1:]).all()
    assert ended == {9, 13, 32, 45}


def test_without_ends_no_place_is_one(make_sequences: Make) -> None:
    for same_shapes in (False, True):
        assert not sampler(make_sequences(LONG), same_shapes=same_shapes)(0).last_position.any()


def test_processes_share_a_batch_without_losing_or_doubling_a_window(make_sequences: Make) -> None:
    whole = sampler(make_sequences(LONG), batch=3)(0)
    parts = [sampler(make_sequences(LONG), batch=3, rank=rank, world=2)(0) for rank in range(2)]
    assert sorted(pair for part in parts for pair in pairs(part)) == sorted(pairs(whole))
    assert {part.positions for part in parts} == {whole.positions}


@pytest.mark.parametrize("same_shapes", [False, True])
def test_a_process_knows_where_its_positions_are_in_the_whole_batch(make_sequences: Make, same_shapes: bool) -> None:
    for step in range(2):  # of the second batch, of one history, one process has none
        whole = sampler(make_sequences(LONG), batch=3, same_shapes=same_shapes)(step)
        found = torch.full_like(whole.items, -1)
        for rank in range(2):
            part = sampler(make_sequences(LONG), batch=3, same_shapes=same_shapes, rank=rank, world=2)(step)
            assert part.share is not None and part.share.size == len(whole.items)
            found += part.share.spread(part.items + 1)
            kept = whole.targets > 10
            some = part.share.some(kept)
            assert torch.equal(whole.items[kept][some.index], part.items[part.targets > 10])
        assert torch.equal(found, whole.items)
        assert whole.share is None


def test_users_without_a_next_item_are_an_error_with_a_remedy(make_sequences: Make) -> None:
    with pytest.raises(DataError, match=r"(?s)two training events.*core_users"):
        sampler(make_sequences([[1], [2]]))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.integers(1, 5))
def test_histories_of_rows_end_before_the_target(lengths: list[int], length: int) -> None:
    stops = np.cumsum([size + 1 for size in lengths]) - 1
    items = np.arange(1, stops[-1] + 2, dtype=np.int32)
    rows = Rows(items, stops - np.array(lengths), stops, np.arange(len(lengths)))
    got = histories(rows, slice(None), length)
    for row, stop, size in zip(got.tolist(), stops, lengths, strict=True):
        expected = items[stop - min(size, length) : stop].tolist()
        assert row == expected + [0] * (len(row) - len(expected))
