"""DLLM2Rec's losses (Cui et al. 2024, REFERENCE d.4): pure functions of a student's scores, for all K items at once.

Scores are [B, n + 1], column 0 is the padding. Letters: B rows, n items, K items of a teacher's ranking, M any items.
``as_released`` gives the arithmetic of the published program (REFERENCE f.3-37, 38); without it, that of the paper.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from engine.data.ids import PADDING

SCORES_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 27}  # entries of a pass; on a CPU it should stay in the cache


def propensities(counts: Tensor, power: float) -> Tensor:  # [n + 1] times each item is a target -> [n + 1] float64
    """ps_i = ((n_i + 1) / sum_j (n_j + 1))^power over items; the padding's is 0."""
    seen = counts.double() + 1.0
    seen[PADDING] = 0.0
    return torch.where(seen > 0, (seen / seen.sum()) ** power, 0.0)


def item_scores(scores: Tensor, value: float) -> Tensor:  # [B, n + 1] -> [B, n + 1]
    """The scores with ``value`` in the padding's column, which gets no gradient."""
    padding = torch.arange(scores.shape[1], device=scores.device) == PADDING
    return scores.masked_fill(padding, value)


def dro(scores: Tensor, items: Tensor, ps: Tensor, beta: float) -> Tensor:  # [B, n + 1], [B, M], [n + 1] -> [B, M]
    """log( sum_{j != i} exp(ps_j z_j^2 / beta) + exp(ps_i (z_i - 1)^2 / beta) ) for every i of ``items``.

    In log space, so no beta and no score overflows; all items at once, in a few passes over the scores.
    """
    found: Tensor = _Dro.apply(scores, items, (ps / beta).to(scores.dtype))  # type: ignore[no-untyped-call]
    return found


class _Dro(torch.autograd.Function):
    """With a_j = w_j z_j^2 and l the row's largest: exponents are kept relative to the second largest a_s.

    sum_{j != i} = e^l + (sum_{j != l} - e^a_i) loses no precision, as e^l is the largest term; for i = l it is
    sum_{j != l} itself.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, items: Tensor, weights: Tensor) -> Tensor:
        relative = torch.empty_like(scores)  # e^(a_j - a_s), 0 for the largest and the padding
        largest, second = scores.new_empty(len(scores), 1), scores.new_empty(len(scores), 1)
        index = items[:, :1].clone()  # of the largest
        others = torch.empty_like(largest)
        step = max(1, SCORES_AT_ONCE[scores.device.type] // scores.shape[1])
        for first in range(0, len(scores), step):
            rows = slice(first, first + step)
            part = torch.square(scores[rows], out=relative[rows]).mul_(weights)
            part[:, PADDING] = -torch.inf
            largest[rows], index[rows] = part.max(dim=1, keepdim=True)
            part.scatter_(1, index[rows], -torch.inf)
            second[rows] = part.amax(dim=1, keepdim=True)
            others[rows] = part.sub_(second[rows]).exp_().sum(dim=1, keepdim=True)
        score, weight, own = scores.gather(1, items), weights[items], relative.gather(1, items)
        is_largest = items == index
        rest = second + (others - own).clamp(min=0.0).log()
        rest = torch.where(is_largest, rest, torch.logaddexp(rest, largest))
        moved = weight * (score - 1.0).square()
        found = torch.logaddexp(rest, moved)
        ctx.save_for_backward(scores, items, weights, relative, largest, second, index, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        scores, items, weights, relative, largest, second, index, found = ctx.saved_tensors
        score, weight, own = scores.gather(1, items), weights[items], relative.gather(1, items)
        below = grad * torch.exp(second - found)  # [B, M]; a term is never larger than its sum
        spread = 2.0 * below.sum(dim=1, keepdim=True)
        out = torch.empty_like(scores)
        step = max(1, SCORES_AT_ONCE[scores.device.type] // scores.shape[1])
        for first in range(0, len(scores), step):
            rows = slice(first, first + step)
            torch.mul(relative[rows], scores[rows], out=out[rows]).mul_(weights).mul_(spread[rows])
        out[:, PADDING] = 0.0
        above = (grad * torch.exp(largest - found)).masked_fill(items == index, 0.0).sum(dim=1, keepdim=True)
        out.scatter_(1, index, 2.0 * above * weights[index] * scores.gather(1, index))
        moved = weight * (score - 1.0).square()
        entry = grad * torch.exp(moved - found) * (score - 1.0) - below * own * score
        return out.scatter_add_(1, items, 2.0 * weight * entry), None, None


def _score_of(scores: Tensor, items: Tensor, padding: float) -> Tensor:  # [B, n + 1], [B, M] -> [B, M]
    return scores.gather(1, items).masked_fill(items == PADDING, padding)


def base_bce(scores: Tensor, target: Tensor, negative: Tensor) -> Tensor:
    """Mean over 2 B of softplus(-z_target) and softplus(z_negative): one drawn negative a row. [B, n + 1], [B], [B]."""
    both = _score_of(scores, torch.stack([target, negative], dim=1), -torch.inf)
    return torch.cat([F.softplus(-both[:, 0]), F.softplus(both[:, 1])]).mean()


def ranking_pairs(scores: Tensor, ranked: Tensor, negative: Tensor, as_released: bool = False) -> Tensor:
    """softplus(-z_k) + softplus(z_m) = -log s(z_k) - log(1 - s(z_m)). [B, n + 1], [B, K], [B] -> [B, K].

    As released the second is softplus(z_m - 1), from log s(1 - z_m). A negative that is the padding adds nothing.
    """
    both = _score_of(scores, torch.cat([ranked, negative[:, None]], dim=1), -torch.inf)
    drawn = both[:, -1:]
    return F.softplus(-both[:, :-1]) + F.softplus(drawn - 1.0 if as_released else drawn)


def weighted(weights: Tensor, terms: Tensor) -> Tensor:  # [B, K], [B, K] -> scalar
    """mean_b sum_k w_bk x_bk."""
    return (weights * terms).sum(dim=1).mean()


def weighted_as_released(weights: Tensor, terms: Tensor) -> Tensor:  # [B, K], [B, K] -> scalar
    """sum_k mean_b(w_bk) mean_b(x_bk): a weight [B, 1] times a loss [B] was broadcast to [B, B]."""
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
    """mean_b sum_k w_bk [ softplus(-z_k) + softplus(z_m) + alpha dro(k) ]: the teacher's items above drawn ones.

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
    """sum_p [ s_target - sum_k q_k s_k ]: the change of cross-entropy when q replaces the one target.

    CE + lambda * this = (1 - lambda) CE + lambda (KL + H(q)), because both contain the same log-sum-exp, so that the
    teacher's distribution needs no second pass over the items.
    states [P, D], table [n + 1, D], target [P], ranked [P, K], teacher [P, K] with sum_k q_k = 1.
    """
    total: Tensor = _SoftTarget.apply(states, table, target, ranked, teacher)  # type: ignore[no-untyped-call]
    return total


class _SoftTarget(torch.autograd.Function):
    """Backward as a product with the sparse [P, n + 1] matrix of q: three times as fast on a CPU as PyTorch's own.

    A GPU adds the rows one by one: sorting a sparse matrix there reads its number of entries back to the host.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, target: Tensor, ranked: Tensor, teacher: Tensor) -> Tensor:
        teacher, wide = teacher.to(table.dtype), states.to(table.dtype)
        expected = F.embedding_bag(ranked, table, per_sample_weights=teacher, mode="sum")  # [P, D]
        difference = F.embedding(target, table) - expected
        ctx.save_for_backward(wide, difference, target, ranked, teacher)
        ctx.rows, ctx.narrow = len(table), states.dtype
        return (wide * difference).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        states, difference, target, ranked, teacher = ctx.saved_tensors
        with torch.autocast(states.device.type, enabled=False):  # gradients are also computed during forward
            expected = _turned(ranked, teacher, states, ctx.rows)
        grad_table = expected.neg_().index_add_(0, target, states)
        return (difference * grad).to(ctx.narrow), grad_table * grad, None, None, None


def _turned(
    ranked: Tensor, teacher: Tensor, states: Tensor, rows: int
) -> Tensor:  # [P, K], [P, K], [P, D] -> [n + 1, D]
    """sum_p q_pi h_p for every item i."""
    if states.device.type != "cpu":
        parts = teacher[:, :, None] * states[:, None]
        return states.new_zeros(rows, states.shape[1]).index_add_(0, ranked.reshape(-1), parts.flatten(0, 1))
    positions = torch.arange(len(ranked)).repeat_interleave(ranked.shape[1])
    indices = torch.stack([ranked.reshape(-1), positions])
    turned = torch.sparse_coo_tensor(indices, teacher.reshape(-1), (rows, len(ranked)), check_invariants=False)
    product: Tensor = torch.sparse.mm(turned, states)
    return product


def hint(states: Tensor, vectors: Tensor) -> Tensor:  # [P, H], [P, H] -> [P]
    """1 - cos(h_p, v_p) of mapped states and the teacher's expected item vectors."""
    return 1.0 - F.cosine_similarity(states, vectors, dim=1)
