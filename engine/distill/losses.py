"""DLLM2Rec's losses (Cui et al. 2024, REFERENCE d.4): pure functions of a student's scores, all K items at once.

Scores are [B, n + 1], column 0 is the padding. Letters: B rows, n items, K items of a teacher's ranking, M any items.
``as_released`` gives the arithmetic of the published program (REFERENCE f.3-37, 38); without it, that of the paper.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.ids import PADDING


def propensities(counts: Tensor, power: float) -> Tensor:  # [n + 1] times each item is a target -> [n + 1] float64
    """ps_i = ((n_i + 1) / sum_j (n_j + 1))^power over items; the padding's is 0."""
    seen = counts.double() + 1.0
    seen[PADDING] = 0.0
    return torch.where(seen > 0, (seen / seen.sum()) ** power, 0.0)


def item_scores(scores: Tensor, value: float) -> Tensor:  # [B, n + 1] -> [B, n + 1]
    """The scores with ``value`` in the padding's column, through which no gradient passes."""
    padding = torch.arange(scores.shape[1], device=scores.device) == PADDING
    return scores.masked_fill(padding, value)


def dro(scores: Tensor, items: Tensor, ps: Tensor, beta: float) -> Tensor:  # [B, n + 1], [B, M], [n + 1] -> [B, M]
    """log( sum_{j != i} exp(ps_j z_j^2 / beta) + exp(ps_i (z_i - 1)^2 / beta) ) for every i of ``items``.

    Sums stay in log space and relative to the row's largest exponent, so any beta and any score will do.
    sum_{j != i} is S - exp(a_i) for all but that largest one, at most half of S being taken away; for it the sum is
    taken without it.
    """
    zero = item_scores(scores, 0.0)
    weights = (ps / beta).to(zero.dtype)
    exponents = item_scores(weights * zero.square(), -torch.inf)
    largest, place = exponents.max(dim=1, keepdim=True)  # [B, 1]
    below = exponents - largest
    others = torch.logsumexp(below.scatter(1, place, -torch.inf), dim=1, keepdim=True)
    total = F.softplus(others)  # log(1 + exp(others)): the largest is 0 now
    is_largest = items == place
    own, score = below.gather(1, items), zero.gather(1, items)
    # The branch that is not taken needs a finite gradient too.
    share = torch.exp(torch.where(is_largest, total.detach() - 1.0, own) - total)
    rest = torch.where(is_largest, others, total + torch.log1p(-share))
    return largest + torch.logaddexp(rest, own + weights[items] * (1.0 - 2.0 * score))  # (z - 1)^2 - z^2 = 1 - 2 z


def base_bce(scores: Tensor, target: Tensor, negative: Tensor) -> Tensor:
    """Mean over 2 B of softplus(-z_target) and softplus(z_negative): one drawn negative a row. [B, n + 1], [B], [B]."""
    positive, drawn = (item_scores(scores, -torch.inf).gather(1, ids[:, None]) for ids in (target, negative))
    return torch.cat([F.softplus(-positive), F.softplus(drawn)]).mean()


def ranking_pairs(scores: Tensor, ranked: Tensor, negative: Tensor, as_released: bool = False) -> Tensor:
    """softplus(-z_k) + softplus(z_m) = -log s(z_k) - log(1 - s(z_m)). [B, n + 1], [B, K], [B] -> [B, K].

    As released the second is softplus(z_m - 1), from log s(1 - z_m). A negative that is the padding adds nothing.
    """
    drawn = item_scores(scores, -torch.inf).gather(1, negative[:, None])
    return F.softplus(-item_scores(scores, 0.0).gather(1, ranked)) + F.softplus(drawn - 1.0 if as_released else drawn)


def weighted(weights: Tensor, terms: Tensor) -> Tensor:  # [B, K], [B, K] -> scalar
    """mean_b sum_k w_bk x_bk."""
    return (weights * terms).sum(dim=1).mean()


def weighted_as_released(weights: Tensor, terms: Tensor) -> Tensor:  # [B, K], [B, K] -> scalar
    """sum_k mean_b(w_bk) mean_b(x_bk): a weight [B, 1] times a loss [B] was spread out to [B, B]."""
    return (weights.mean(dim=0) * terms.mean(dim=0)).sum()


def ranking_distillation(
    scores: Tensor,
    ranked: Tensor,
    weights: Tensor,
    negative: Tensor,
    *,
    alpha: float = 0.0,
    ps: Tensor | None = None,
    beta: float = 1.0,
    as_released: bool = False,
) -> Tensor:
    """mean_b sum_k w_bk [ softplus(-z_k) + softplus(z_m) + alpha dro(k) ]: the student ranks what the teacher ranks.

    scores [B, n + 1], ranked [B, K] item ids, weights [B, K] (constants), negative [B] item ids, ps [n + 1].
    """
    pairs = weighted(weights, ranking_pairs(scores, ranked, negative, as_released))
    if alpha == 0.0 or ps is None:
        return pairs
    mean = weighted_as_released if as_released else weighted
    return pairs + alpha * mean(weights, dro(scores, ranked, ps, beta))


def kl_divergence(scores: Tensor, ranked: Tensor, teacher: Tensor) -> Tensor:  # [B, n + 1], [B, K], [B, K] -> [B]
    """sum_k q_k (log q_k - log p_k), q the teacher's probabilities of its first K items, p the student's of all n."""
    log_p = torch.log_softmax(item_scores(scores, -torch.inf), dim=1).gather(1, ranked)
    terms: Tensor = torch.special.entr(teacher) + teacher * log_p
    return -terms.sum(dim=1)


def soft_target(states: Tensor, table: Tensor, target: Tensor, ranked: Tensor, teacher: Tensor) -> Tensor:
    """sum_p [ s_target - sum_k q_k s_k ]: what changes in cross-entropy when q takes the place of the one target.

    CE + lambda * this = (1 - lambda) CE + lambda (KL + H(q)), because both hold the same log-sum-exp: the teacher's
    distribution costs no second pass over the items.
    states [P, D], table [n + 1, D], target [P], ranked [P, K], teacher [P, K] with sum_k q_k = 1.
    """
    expected = F.embedding_bag(ranked, table, per_sample_weights=teacher.to(table.dtype), mode="sum")  # [P, D]
    difference: Tensor = F.embedding(target, table) - expected
    return (states * difference).sum()


def hint(states: Tensor, vectors: Tensor) -> Tensor:  # [P, H], [P, H] -> scalar
    """mean_p [ 1 - cos(h_p, v_p) ]: a mapped state should point where the teacher's answer points."""
    return (1.0 - F.cosine_similarity(states, vectors, dim=1)).mean()
