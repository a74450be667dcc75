"""Items without a training event: which they are, and whose vectors they get."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.student.cold_items import NEIGHBOURS, TEMPERATURE, ColdItems, cold_items
from tests.fixtures.students import sequences_of


def mask(items: int, cold: list[int]) -> torch.Tensor:
    found = torch.zeros(items + 1, dtype=torch.bool)
    found[cold] = True
    return found


def test_cold_are_the_items_of_no_training_sequence_and_never_the_padding() -> None:
    assert cold_items(sequences_of([[1, 2, 5], [5, 6]]), 7).nonzero()[:, 0].tolist() == [3, 4, 7]


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(0, 10**6), st.integers(1, 9))
def test_a_cold_item_gets_the_weighted_mean_of_the_trained_items_of_most_similar_text(
    items: int, seed: int, count: int
) -> None:
    random = np.random.default_rng(seed)
    cold = sorted(random.permutation(np.arange(1, items + 1))[: min(count, items - 1)].tolist())
    vectors = torch.from_numpy(random.normal(size=(items + 1, 4)))
    tables = torch.from_numpy(random.normal(size=(items + 1, 3))), torch.from_numpy(random.normal(size=items + 1))
    before = [table.clone() for table in tables]
    ColdItems(mask(items, cold), vectors).fill(*tables, None)
    directions = (vectors - vectors[1:].mean(dim=0)).numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    trained = [item for item in range(1, items + 1) if item not in cold]
    for item in cold:
        cosines = directions[trained] @ directions[item]
        nearest = np.argsort(-cosines)[:NEIGHBOURS]
        weights = np.exp(cosines[nearest] / TEMPERATURE)
        weights /= weights.sum()
        for table, old in zip(tables, before, strict=True):
            expected = sum(w * old[trained[at]] for w, at in zip(weights, nearest, strict=True))
            torch.testing.assert_close(table[item], expected, rtol=1e-3, atol=1e-4)
    for table, old in zip(tables, before, strict=True):
        assert torch.equal(table[[0, *trained]], old[[0, *trained]])


@pytest.mark.parametrize("cold", [[], [2]])
def test_without_cold_items_or_without_tables_nothing_happens(cold: list[int]) -> None:
    table = torch.randn(5, 2)
    before = table.clone()
    ColdItems(mask(4, cold), torch.randn(5, 3)).fill(*([] if cold else [table]))
    assert torch.equal(table, before)
