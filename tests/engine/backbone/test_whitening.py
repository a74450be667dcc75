"""Whitened text vectors: variance 1 in every direction, distances of principal components, the padding at zero."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.backbone.whitening import Reduction, reduced


def vectors(items: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(items, width, generator=generator) @ torch.randn(width, width, generator=generator) + 3.0
    return torch.cat([torch.zeros(1, width), mixed])


def test_nothing_changes_unless_asked_for() -> None:
    found = vectors(20, 4)
    assert reduced(found, False, None) == (found, None)


@given(st.integers(16, 40), st.integers(1, 7), st.integers(0, 5))
def test_whitened_vectors_are_uncorrelated_with_variance_one(items: int, width: int, seed: int) -> None:
    found = reduced(vectors(items, width, seed), True, None)[0][1:].double()
    kept = found.shape[1]
    assert kept == width
    torch.testing.assert_close(found.mean(0), torch.zeros(kept).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.T @ found / items, torch.eye(kept).double(), atol=1e-3, rtol=0)


def test_the_first_directions_are_those_of_numpys_eigenvectors() -> None:
    found, before = reduced(vectors(50, 6), False, 2)[0], vectors(50, 6)[1:].double().numpy()
    values, directions = np.linalg.eigh(np.cov(before.T))
    expected = (before - before.mean(0)) @ directions[:, [-1, -2]]
    for column in range(2):
        mine, theirs = found[1:, column].double().numpy(), expected[:, column]
        np.testing.assert_allclose(np.abs(mine), np.abs(theirs), atol=1e-4)
        assert np.isclose(mine.var(), values[-1 - column] * 49 / 50, rtol=1e-4)
        assert mine[np.abs(mine).argmax()] > 0


def test_directions_in_which_no_item_differs_are_left_out_and_the_padding_is_zero() -> None:
    flat = torch.cat([vectors(30, 3), torch.ones(31, 2)], dim=1)
    found, _ = reduced(flat, True, 5)
    assert found.shape == (31, 3) and torch.isfinite(found).all()
    assert torch.equal(found[0], torch.zeros(3))


@pytest.mark.parametrize("whiten", [True, False])
def test_a_rotation_of_the_vectors_changes_nothing(whiten: bool) -> None:
    before = vectors(40, 5)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
    turned, found = (reduced(some, whiten, 3)[0] for some in (before @ turn, before))
    torch.testing.assert_close(turned, found, atol=1e-3, rtol=1e-3)


@given(st.integers(8, 30), st.integers(1, 8), st.booleans(), st.integers(0, 5))
def test_the_map_that_is_kept_gives_a_text_read_again_the_vector_of_its_item(
    items: int, dimension: int, whiten: bool, seed: int
) -> None:
    before = vectors(items, 6, seed)
    found, reduction = reduced(before, whiten, dimension)
    assert reduction is not None
    torch.testing.assert_close(reduction(before[1:]), found[1:], atol=1e-3, rtol=1e-3)
    again = Reduction.stored({"vectors": found} | reduction.tensors)
    assert again is not None and torch.equal(again(before[3:5]), reduction(before[3:5]))
    assert Reduction.stored({"vectors": before}) is None
