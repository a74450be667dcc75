"""Text vectors made uncorrelated, and fewer of their directions.

Letters: n items, H' width before, K directions kept.
"""

import torch
from torch import Tensor

from engine.data.ids import PADDING

SMALLEST = 1e-10  # of the largest variance: directions below it are noise of rounding and are left out


def reduced(vectors: Tensor, whiten: bool, dimension: int | None) -> Tensor:  # [n + 1, H'] -> [n + 1, K]
    """The ``dimension`` directions of largest variance over the items, each scaled to variance 1 if ``whiten``.

    Principal components of the rows behind the padding's, in float64; the padding's row stays zero. K is smaller than
    asked for where the items' vectors span fewer directions.
    """
    if not whiten and dimension is None:
        return vectors
    items = vectors[PADDING + 1 :].double()
    centred = items - items.mean(dim=0)
    _, spread, directions = torch.linalg.svd(centred, full_matrices=False)  # [n, .], [r], [r, H']
    variance = spread.square() / max(len(items), 1)
    kept = int((variance > SMALLEST * variance[:1]).sum())
    kept = min(kept, dimension or kept)
    components = centred @ directions[:kept].T
    if whiten:
        components = components / variance[:kept].sqrt()
    # The sign of a direction is arbitrary: the largest coordinate of each is positive, on every machine.
    largest = components.abs().argmax(dim=0)
    components = components * components[largest, torch.arange(kept)].sign()
    result = torch.zeros(len(vectors), kept)
    result[PADDING + 1 :] = components.float()
    return result
