"""Which positions are taught, what the teacher said about them, and what is drawn against it."""

import numpy as np
import pytest
import torch

from engine.data.sequences import Sequences
from engine.distill import teacher_targets
from engine.distill.teacher_targets import NO_TARGET, TeacherTargets
from engine.errors import DataError
from engine.knowledge.rankings import Rankings
from engine.student.batches import BatchSampler

HISTORIES = [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10, 11, 12]]


def sequences() -> Sequences:
    lengths = [len(history) for history in HISTORIES]
    return Sequences(
        np.array([item for history in HISTORIES for item in history], dtype=np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.arange(len(HISTORIES)),
    )


def sampler(same_shapes: bool = False) -> BatchSampler:
    return BatchSampler(sequences(), length=3, batch=3, seed=1, random=True, same_shapes=same_shapes)


def answered(rows: list[int], top: int = 4) -> TeacherTargets:
    """A teacher who says about event r: the items r, r + 1, ..., at distances 0, 1, ..."""
    items = torch.tensor(rows)[:, None] + torch.arange(6)
    return TeacherTargets(
        Rankings(torch.tensor(rows), items.int(), torch.arange(6.0).expand(len(rows), 6)), 12, top, "cpu"
    )


@pytest.mark.parametrize("same_shapes", [False, True])
def test_every_position_gets_the_ranking_of_the_event_it_predicts(same_shapes: bool) -> None:
    answers, made = answered([2, 4, 6, 10]), sampler(same_shapes)
    seen = set()
    for step in range(20):
        batch = made(step)
        rows = answers.rows(batch)
        for event, target, row in zip(batch.events.tolist(), batch.targets.tolist(), rows.tolist(), strict=True):
            asked = target != 0 and event in (2, 4, 6, 10)
            assert (row != NO_TARGET) == asked
            if asked:
                assert answers.items[row, 0] == event
                seen.add(event)
    assert seen == {2, 4, 6, 10}


@pytest.mark.parametrize("same_shapes", [False, True])
def test_a_last_position_gets_the_ranking_after_its_own_history(same_shapes: bool) -> None:
    data = sequences()
    stops = data.offsets[1:].tolist()
    items = torch.tensor(stops[:2])[:, None] + torch.arange(6)  # the third history has none
    targets = TeacherTargets(Rankings(torch.tensor(stops[:2]), items.int(), torch.zeros(2, 6)), 13, 4, "cpu")
    seen = set()
    made = BatchSampler(data, length=3, batch=3, seed=1, random=True, same_shapes=same_shapes, last_position=True)
    for step in range(20):
        batch = made(step)
        for item, target, row in zip(
            batch.items.tolist(), batch.targets.tolist(), targets.after(batch).tolist(), strict=True
        ):
            assert (row != NO_TARGET) == (item in (5, 8) and target == 0)
            if row != NO_TARGET:
                assert targets.items[row, 0] == {5: stops[0], 8: stops[1]}[item]
                seen.add(item)
    assert seen == {5, 8}


def test_soft_targets_are_the_softmax_of_minus_the_distances_over_the_first_items() -> None:
    items, teacher = answered([2, 4]).soft(torch.tensor([1, 0]), 3, temperature=2.0)
    assert items.tolist() == [[4, 5, 6], [2, 3, 4]]
    expected = np.exp([0, -0.5, -1.0]) / np.exp([0, -0.5, -1.0]).sum()
    np.testing.assert_allclose(teacher[0].numpy(), expected, rtol=1e-6)


def test_knowledge_about_other_data_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DataError, match=r"(?s)about event 12.*engine run knowledge --again"):
        answered([3, 12])


@pytest.mark.parametrize(("share", "expected"), [(0.5, [3, 5]), (0.1, [5]), (1.0, [0, 1, 3, 5])])
def test_the_ranked_positions_of_largest_value_are_kept(share: float, expected: list[int]) -> None:
    worth = torch.tensor([1.0, -2.0, 99.0, 3.0, 98.0, 5.0])
    answered_ = torch.tensor([True, True, False, True, False, True])
    assert teacher_targets.top_fraction(worth, answered_, share).nonzero()[:, 0].tolist() == expected
    assert not teacher_targets.top_fraction(worth, torch.zeros(6, dtype=torch.bool), share).any()


def test_divergence_and_error_are_least_where_the_student_agrees() -> None:
    teacher = torch.tensor([[0.7, 0.2, 0.1]]).expand(2, 3)
    scores = torch.stack([torch.log(teacher[0]) + 5.0, torch.tensor([-3.0, 0.0, 3.0])])
    found = teacher_targets.divergence(scores, teacher)
    assert found[0].item() == pytest.approx(0.0, abs=1e-6) and found[1] > 1.0
    own = torch.tensor([9.0, -9.0])
    error = teacher_targets.true_error(torch.zeros(2, 3), own)
    assert error[0] < 0.01 and error[1].item() == pytest.approx(9 + np.log(3 + np.exp(-9)), rel=1e-5)


@pytest.mark.parametrize("same_shapes", [False, True])
def test_what_is_known_at_a_position_is_the_history_up_to_it(same_shapes: bool) -> None:
    batch = sampler(same_shapes)(0)
    positions = (batch.targets != 0).nonzero()[:, 0]
    history = teacher_targets.known(batch, positions)
    for position, items in zip(positions.tolist(), history.tolist(), strict=True):
        order = int(batch.packed.order[position])
        expected = batch.items[position - order : position + 1].tolist()
        assert items[: order + 1] == expected and not any(items[order + 1 :])


def test_negatives_are_uniform_over_what_is_neither_known_nor_the_target() -> None:
    history, target = torch.tensor([[1, 2, 0]]).repeat(6000, 1), torch.full((6000,), 5)
    drawn = teacher_targets.negatives(history, target, 6, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=7)
    assert counts[[0, 1, 2, 5]].sum() == 0
    assert (counts[[3, 4, 6]] - 2000).abs().max() < 200  # six standard deviations are 219


def test_where_everything_is_known_no_negative_is_drawn() -> None:
    drawn = teacher_targets.negatives(torch.tensor([[1, 2]]), torch.tensor([3]), 3, torch.Generator().manual_seed(0))
    assert drawn.tolist() == [0]


def test_the_padding_is_always_among_the_known() -> None:
    found = teacher_targets.among(torch.tensor([[0, 4, 7]]), torch.tensor([[7, 8]]))
    assert found.tolist() == [[True, False, True]]
