"""How much each item of a teacher's ranking counts (DLLM2Rec, REFERENCE d.4): position, confidence, consistency.

Letters: B rows, K items of a teacher's ranking, n items. None of the weights carries a gradient.
"""

import torch
from torch import Tensor

from engine.distill.losses import item_scores

FLOOR = 1e-8  # what an item gets that is not at all sure, or not among the student's own


def position(count: int) -> Tensor:  # -> [K]
    """exp(-k) / sum_k' exp(-k'), k = 1..K: the first items count most."""
    return torch.softmax(-torch.arange(1, count + 1, dtype=torch.float32), dim=0)


def confidence(distances: Tensor) -> Tensor:  # [B, K] smaller is surer -> [B, K]
    """(exp(-d) + 1e-8) / sum_k'. Where d = -log p, that is the teacher's probability among its first K."""
    sure = torch.exp(-distances) + FLOOR
    return sure / sure.sum(dim=1, keepdim=True)


@torch.no_grad()
def consistency(scores: Tensor, ranked: Tensor) -> Tensor:  # [B, n + 1], [B, K] -> [B, K]
    """1 + 1e-8 for an item that the student has among its own first K too, else 1e-8."""
    items = item_scores(scores, -torch.inf)
    least = items.topk(min(ranked.shape[1], items.shape[1] - 1), dim=1).values[:, -1:]
    return (items.gather(1, ranked) >= least).to(scores.dtype) + FLOOR


@torch.no_grad()
def importance(
    scores: Tensor, ranked: Tensor, distances: Tensor, gammas: tuple[float, float, float], valid: Tensor | None = None
) -> Tensor:  # [B, n + 1], [B, K], [B, K] -> [B, K]
    """w = (g_p position + g_c confidence + g_o consistency) / sum_k'; items that are not ``valid`` [B, K] count 0."""
    by_position, by_confidence, by_consistency = gammas
    weights = by_position * position(ranked.shape[1]).to(distances) + by_confidence * confidence(distances)
    if by_consistency:
        weights = weights + by_consistency * consistency(scores, ranked)
    if valid is not None:
        weights = weights * valid
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
