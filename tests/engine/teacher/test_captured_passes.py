"""Replayed passes are the passes themselves: states, gradients, whole trainings."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.teacher.captured_passes import MOST
from engine.teacher.model import Inputs, Teacher, packed
from engine.teacher.shapes import FewShapes
from tests.engine.teacher.test_model import inputs, teacher


def wider(given: Inputs, columns: int) -> Inputs:
    """The same prompts with more padding on the right."""
    rows, tokens = given.ids.shape
    ids = torch.cat([given.ids, torch.zeros(rows, columns, dtype=torch.long)], dim=1)
    slots = given.slots // tokens * (tokens + columns) + given.slots % tokens
    return Inputs(ids, slots, given.vectors, given.users, None)


def trained(made: Teacher, batches: list[Inputs], dropout_seed: int = 0) -> list[Tensor]:
    """States of every step and the weights after them."""
    torch.manual_seed(dropout_seed)
    optimizer = torch.optim.AdamW([value for value in made.parameters() if value.requires_grad], lr=0.01)
    found = []
    for given in batches:
        optimizer.zero_grad()
        states = made.states(given, made.gates(given.users))
        found.append(states.detach().clone())
        states.square().mean().backward()
        optimizer.step()
    return found + [value.detach().clone() for value in made.parameters()]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_training_with_replayed_passes_is_bit_equal_to_one_without(dropout: float) -> None:
    plain, batches = teacher(dropout).train(), [inputs(), wider(inputs(), 3), inputs(), wider(inputs(), 3)]
    replayed = copy.deepcopy(plain)
    replayed.capture()
    for expected, got in zip(trained(plain, batches), trained(replayed, batches), strict=True):
        assert torch.equal(got, expected)
    assert replayed.passes is not None and replayed.passes.shapes == [(3, 7), (3, 10)]


def test_shapes_beyond_the_limit_run_as_they_are_and_are_counted() -> None:
    plain, batches = teacher().train(), [wider(inputs(), k) for k in range(MOST + 2)]
    replayed = copy.deepcopy(plain)
    replayed.capture()
    for expected, got in zip(trained(plain, batches), trained(replayed, batches), strict=True):
        assert torch.equal(got, expected)
    assert replayed.passes is not None
    assert (len(replayed.passes.shapes), replayed.passes.not_captured) == (MOST, 2)


def test_states_without_gradients_are_replayed_too_and_stay_what_they_were() -> None:
    made, given = teacher(), inputs()
    with torch.no_grad():
        expected = made.states(given, made.gates(given.users))
        made.capture()
        first = made.states(given, made.gates(given.users))
        other = Inputs(given.ids, given.slots, given.vectors, -given.users, None)
        assert not torch.equal(made.states(other, made.gates(other.users)), expected)
    assert torch.equal(first, expected)


def test_prompts_padded_on_the_left_are_not_replayed() -> None:
    made, given = teacher(), inputs()
    made.capture()
    masked = Inputs(given.ids, given.slots, given.vectors, given.users, torch.ones_like(given.ids))
    torch.testing.assert_close(
        made.states(masked, made.gates(given.users)), made.states(given, made.gates(given.users))
    )
    assert made.passes is not None and made.passes.shapes == [(3, 7)]


def test_a_replay_reads_the_packing_of_its_own_batch() -> None:
    made, few = teacher(), FewShapes([np.array([7, 7, 7])], 7, "cpu")
    batches = [packed(inputs(), np.asarray(length), few)[0] for length in ([7, 2, 5], [3, 7, 4], [7, 2, 5])]
    assert len({given.packing.shape for given in batches if given.packing is not None}) == 1

    def found() -> list[Tensor]:
        states = [made.states(given, made.gates(given.users)) for given in batches]
        return [part[row, :length] for part in states for row, length in ((0, 3), (1, 2), (2, 4))]

    with torch.no_grad():
        expected = found()
        made.capture()
        for one, two in zip(found(), expected, strict=True):
            assert torch.equal(one, two)
    assert made.passes is not None and len(made.passes.shapes) == 1
