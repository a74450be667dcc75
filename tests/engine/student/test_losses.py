"""Every loss over drawn items against a float64 loop."""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor

from engine.student.losses import (
    chance_loss,
    drawn_scores,
    gbce,
    positive_weight,
    prior_log_odds,
    sampled_softmax,
    uniform_negatives,
)

P, K, N, D = 5, 4, 9, 3


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def scores() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(2)
    positive, negative, weights = (
        torch.randn(*shape, generator=random, dtype=torch.float64) for shape in ((P,), (P, K), (P,))
    )
    return positive, negative, weights.abs()


def test_sampled_softmax_is_its_formula() -> None:
    positive, negative, weights = scores()
    expected = sum(
        weights[p].item()
        * (math.log(math.exp(positive[p]) + sum(math.exp(negative[p, k]) for k in range(K))) - positive[p].item())
        for p in range(P)
    )
    assert sampled_softmax(positive, negative, weights).item() == pytest.approx(expected, rel=1e-12)
    assert sampled_softmax(positive, negative).item() == pytest.approx(
        sampled_softmax(positive, negative, torch.ones(P)).item()
    )


def test_bce_is_its_formula() -> None:
    positive, negative, weights = scores()
    expected = -sum(
        weights[p].item()
        * (math.log(sigmoid(positive[p])) + sum(math.log(1 - sigmoid(negative[p, k])) for k in range(K)))
        for p in range(P)
    )
    assert gbce(positive, negative, N, 0.0, weights).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_gbce_is_its_formula(t: float) -> None:
    positive, negative, _ = scores()
    alpha = K / (N - 1)
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    expected = -sum(
        math.log(sigmoid(positive[p]) ** beta) + sum(math.log(1 - sigmoid(negative[p, k])) for k in range(K))
        for p in range(P)
    )
    assert gbce(positive, negative, N, t).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_drawn_scores_are_products_and_a_negative_that_is_the_target_counts_for_nothing(shared: bool) -> None:
    random = torch.Generator().manual_seed(4)
    states = torch.randn(P, D, generator=random, dtype=torch.float64)
    table = torch.randn(N + 1, D, generator=random, dtype=torch.float64)
    bias = torch.randn(N + 1, generator=random, dtype=torch.float64)
    targets = torch.tensor([1, 2, 3, 2, 9])
    negatives = torch.tensor([2, 5, 9, 5]) if shared else torch.tensor([[1, 5, 9, 5]] * P)
    positive, negative = drawn_scores(states, table, targets, negatives, bias)
    for p in range(P):
        assert positive[p].item() == pytest.approx((states[p] @ table[targets[p]] + bias[targets[p]]).item())
        for k in range(K):
            item = int(negatives[k] if shared else negatives[p, k])
            expected = -math.inf if item == targets[p] else (states[p] @ table[item] + bias[item]).item()
            assert negative[p, k].item() == pytest.approx(expected)
    for loss in (sampled_softmax(positive, negative), *(gbce(positive, negative, N, t) for t in (0.0, 0.5))):
        assert math.isfinite(loss.item())


def test_negatives_are_uniform_over_items_and_never_the_padding() -> None:
    drawn = Counter(uniform_negatives((9000,), N, torch.Generator().manual_seed(1)).tolist())
    assert set(drawn) == set(range(1, N + 1))
    assert all(abs(count - 1000) < 150 for count in drawn.values())


def test_chance_is_ln_n() -> None:
    assert chance_loss(1682) == pytest.approx(7.4277, abs=1e-4)


@pytest.mark.parametrize(("negatives", "t"), [(1, 0.0), (4, 0.0), (4, 0.75), (128, 0.75)])
def test_the_prior_minimises_the_loss_of_a_model_that_knows_nothing(negatives: int, t: float) -> None:
    prior, items = prior_log_odds(negatives, 1800, t), 1800

    def loss(score: float) -> float:
        positive = torch.full((1,), score, dtype=torch.float64)
        return gbce(positive, positive.expand(1, negatives), items, t).item()

    assert loss(prior) < min(loss(prior - 0.01), loss(prior + 0.01))
    assert positive_weight(negatives, items, 0.0) == 1.0
    assert prior_log_odds(1, items, 0.0) == 0.0
