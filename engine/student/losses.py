"""Losses over a few items instead of all: pure functions of the target's score and the scores of drawn negatives.

Letters: P positions, K negatives, n items. Every function returns the sum over positions; divide by P for the mean.
A negative that is the target itself must come with a score of minus infinity: it then counts for nothing.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.ids import PADDING


def drawn_scores(
    states: Tensor, table: Tensor, targets: Tensor, negatives: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Scores of targets [P] and of negatives [P, K]; a negative that is the target scores minus infinity.

    states [P, D], table [n + 1, D], targets [P] item ids, negatives [K] (shared by all positions) or [P, K].
    """
    # One look into the table: each would bring a gradient of the whole table.
    looked_up = F.embedding(torch.cat([targets, negatives.reshape(-1)]), table)
    own, drawn = looked_up[: len(targets)], looked_up[len(targets) :].view(*negatives.shape, -1)
    positive = (states * own).sum(dim=1)
    negative = states @ drawn.T if negatives.ndim == 1 else torch.einsum("pd,pkd->pk", states, drawn)
    if bias is not None:
        positive, negative = positive + bias[targets], negative + bias[negatives]
    return positive, negative.masked_fill(negatives == targets[:, None], -torch.inf)


def uniform_negatives(shape: tuple[int, ...], items: int, generator: torch.Generator) -> Tensor:
    """Item ids drawn uniformly with replacement, the padding never."""
    return torch.randint(PADDING + 1, items + 1, shape, generator=generator, device=generator.device)


def sampled_softmax(positive: Tensor, negative: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum_p w_p [ log(e^{s_p} + sum_k e^{s_pk}) - s_p ]: cross-entropy among the target and the drawn items."""
    everything = torch.cat([positive[:, None], negative], dim=1)
    return _weighted(torch.logsumexp(everything, dim=1) - positive, weights)


def gbce(positive: Tensor, negative: Tensor, items: int, t: float, weights: Tensor | None = None) -> Tensor:
    """-sum_p w_p [ beta log sigma(s_p) + sum_k log(1 - sigma(s_pk)) ] (Petrov & Macdonald 2023, gSASRec).

    beta is ``positive_weight``: t = 0 is BCE (Kang & McAuley 2018 with K negatives), t = 1 gives unbiased
    probabilities.
    """
    beta = positive_weight(negative.shape[1], items, t)
    return _weighted(beta * F.softplus(-positive) + F.softplus(negative).sum(dim=1), weights)


def positive_weight(negatives: int, items: int, t: float) -> float:
    """beta = a (t (1 - 1/a) + 1/a) with a = K / (n - 1), gBCE's weight of the target; 1 for t = 0."""
    if t == 0:
        return 1.0
    alpha = negatives / max(1, items - 1)
    return alpha * (t * (1.0 - 1.0 / alpha) + 1.0 / alpha)


def prior_log_odds(negatives: int, items: int, t: float) -> float:
    """log(beta / K): the score that minimises (g)BCE for a model that knows nothing; 0 for BCE with one negative.

    Added to every score in the loss. It changes no ranking. Without it states and item vectors have to turn towards
    each other first until every product is that small, and training stays at popularity for thousands of steps.
    """
    return math.log(positive_weight(negatives, items, t) / negatives)


def chance_loss(items: int) -> float:
    """ln n: cross-entropy of the uniform prediction."""
    return math.log(items)


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses.sum() if weights is None else (losses * weights).sum()
