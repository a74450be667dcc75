"""What text vectors know, to be looked at: items and those with the most similar texts.

Letters: n items, H' width of a text vector.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.ids import PADDING

ITEMS = 10  # shown, evenly spaced over the ids
NEAREST = 3  # of each


def neighbours(vectors: Tensor, titles: Sequence[str]) -> list[str]:  # [n + 1, H'], n + 1
    """``title: nearest | second | third`` by cosine of the standardised vectors, which is what a teacher reads."""
    items = vectors[PADDING + 1 :]
    normal = F.normalize((items - items.mean(dim=0)) / items.std(dim=0, correction=0).clamp(min=1e-6), dim=1)
    count = len(items)
    chosen = torch.linspace(0, count - 1, min(ITEMS, count)).long()
    near = normal[chosen] @ normal.T
    near[torch.arange(len(chosen)), chosen] = -torch.inf
    best = near.topk(min(NEAREST, count - 1), dim=1).indices if count > 1 else torch.empty(len(chosen), 0).long()
    names = titles[PADDING + 1 :]
    return [
        f"{names[item]}: {' | '.join(names[other] for other in others)}"
        for item, others in zip(chosen.tolist(), best.tolist(), strict=True)
    ]
