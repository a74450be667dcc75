"""Nearest items of a generated text."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.metrics import grounding
from engine.metrics.grounding import adjusted, distances, spread

GOLDEN = os.environ.get("ENGINE_GOLDEN")


def order(distance: torch.Tensor) -> torch.Tensor:
    """Position of every item in its row's order, 0 is the nearest; ties in the order of the items."""
    return distance.argsort(dim=1, stable=True).argsort(dim=1)


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
def test_the_published_distances_ranks_and_adjustments() -> None:
    golden = load_file(Path(GOLDEN or "") / "bigrec_grounding.safetensors")
    found = distances(golden["predict_embeddings"], golden["item_embeddings"])
    torch.testing.assert_close(found, golden["dist"], rtol=1e-4, atol=1e-5)
    assert torch.equal(order(found), golden["rank"])
    torch.testing.assert_close(spread(found), golden["dist_norm"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(spread(golden["ci_scores"]), golden["ci_norm"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(spread(golden["pop_count"]), golden["pop_norm"], rtol=1e-4, atol=1e-5)
    for gamma in (0.01, 0.5, 1.0, 7.0):
        for popularity, name in (("ci_scores", "ci"), ("pop_count", "pop")):
            assert torch.equal(order(adjusted(found, golden[popularity], gamma)), golden[f"rank_{name}_gamma_{gamma}"])


def test_spread_distances_leave_confidences_that_differ() -> None:
    """exp(-d) of raw distances of hidden states lies below any floor: all items would be equally sure."""
    torch.manual_seed(0)
    raw = distances(torch.randn(3, 64) * 10, torch.randn(20, 64) * 10)
    assert (torch.exp(-raw) < 1e-8).all()
    confidence = torch.softmax(-adjusted(raw, torch.zeros(20), 0.0), dim=1)
    assert (confidence.amax(dim=1) / confidence.amin(dim=1) > 2).all()


def test_equal_distances_are_spread_to_zero_and_not_to_nan() -> None:
    assert spread(torch.full((2, 3), 5.0)).tolist() == [[0.0] * 3] * 2


def test_scores_order_items_by_adjusted_distance_and_no_answer_makes_all_equal() -> None:
    torch.manual_seed(0)
    answers, items = torch.cat([torch.randn(3, 4), torch.zeros(1, 4)]), torch.randn(7, 4)
    popularity = torch.tensor([0.0, 1, 50, 3, 0, 9, 2])
    for gamma in (0.0, 5.0):
        found = grounding.scores(answers, items, popularity, gamma)
        expected = grounding.adjusted(grounding.distances(answers[:3], items[1:]), popularity[1:], gamma)
        torch.testing.assert_close(found[:3, 1:], -expected)
        assert (found[:, 0] == -torch.inf).all() and (found[3, 1:] == 0).all()


def test_a_great_gamma_brings_the_popular_items_first() -> None:
    torch.manual_seed(0)
    items, popularity = torch.randn(7, 4), torch.tensor([0.0, 1, 50, 3, 0, 9, 2])
    found = grounding.scores(torch.randn(5, 4), items, popularity, 99.0)[:, 1:]
    # The nearest item stays at distance zero; behind it stands the most popular one.
    assert all(2 in row.topk(2).indices + 1 for row in found)
