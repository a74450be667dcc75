"""Weights of the items of a teacher's ranking (DLLM2Rec, REFERENCE d.4): position, confidence, consistency.

Letters: B rows, K items of a teacher's ranking, n items. None of the weights carries a gradient.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.distill.losses import item_scores

FLOOR = 1e-8  # least confidence, and consistency of an item outside the student's first K


def position(count: int, device: torch.device | None = None) -> Tensor:  # -> [K]
    """exp(-k) / sum_k' exp(-k'), k = 1..K: largest for the first item."""
    return torch.softmax(-torch.arange(1, count + 1, dtype=torch.float32, device=device), dim=0)


def confidence(distances: Tensor) -> Tensor:  # [B, K] smaller is surer -> [B, K]
    """(exp(-d) + 1e-8) / sum_k'. Where d = -log p, that is the teacher's probability among its first K."""
    sure = torch.exp(-distances) + FLOOR
    return sure / sure.sum(dim=1, keepdim=True)


@torch.no_grad()
def consistency(scores: Tensor, ranked: Tensor) -> Tensor:  # [B, n + 1], [B, K] -> [B, K]
    """1 + 1e-8 for an item that is also among the student's first K, else 1e-8."""
    items = item_scores(scores, -torch.inf)
    least = kth_largest(items, min(ranked.shape[1], items.shape[1] - 1))
    return (items.gather(1, ranked) >= least).to(scores.dtype) + FLOOR


def kth_largest(values: Tensor, k: int) -> Tensor:  # [B, N] -> [B, 1]
    """The k-th largest value of every row. The first k lie in the k groups of the greatest maxima."""
    group = max(1, math.isqrt(values.shape[1]))
    groups = -(-values.shape[1] // group)
    if groups <= k:
        return values.topk(k, dim=1).values[:, -1:]
    padded = F.pad(values, (0, groups * group - values.shape[1]), value=-torch.inf).view(len(values), groups, group)
    chosen = padded.amax(dim=2).topk(k, dim=1, sorted=False).indices[:, :, None].expand(-1, -1, group)
    return padded.gather(1, chosen).flatten(1).topk(k, dim=1).values[:, -1:]


@torch.no_grad()
def importance(
    scores: Tensor | None,
    ranked: Tensor,
    distances: Tensor,
    gammas: tuple[float, float, float],
    valid: Tensor | None = None,
) -> Tensor:  # [B, n + 1], [B, K], [B, K] -> [B, K]
    """w = (g_p position + g_c confidence + g_o consistency) / sum_k'; 0 for items that are not ``valid`` [B, K].

    ``scores`` are needed where g_o is not zero.
    """
    by_position, by_confidence, by_consistency = gammas
    weights = by_position * position(ranked.shape[1], distances.device).to(distances) + by_confidence * confidence(
        distances
    )
    if by_consistency:
        if scores is None:
            raise ValueError("the weight of consistency needs the student's scores")
        weights = weights + by_consistency * consistency(scores, ranked)
    if valid is not None:
        weights = weights * valid
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
