"""Text vectors made uncorrelated, and fewer of their directions.

Letters: n items, m texts, H' width before, K directions kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.ids import PADDING

SMALLEST = 1e-10  # of the largest variance: directions below it are noise of rounding and are left out


@dataclass(frozen=True)
class Reduction:
    """The linear map that reduced the vectors of the items: what another text's vector becomes."""

    mean: Tensor  # [H'] of the items
    directions: Tensor  # [H', K], scaled as the components are

    def __call__(self, vectors: Tensor) -> Tensor:  # [m, H'] -> [m, K]
        return ((vectors.double() - self.mean.double()) @ self.directions.double()).float()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """As they are stored beside the vectors."""
        return {"mean": self.mean, "directions": self.directions}

    @classmethod
    def stored(cls, tensors: Mapping[str, Tensor]) -> "Reduction | None":
        """The one that lies beside stored vectors; None of vectors that were not reduced."""
        return cls(tensors["mean"], tensors["directions"]) if "directions" in tensors else None


def reduced(vectors: Tensor, whiten: bool, dimension: int | None) -> tuple[Tensor, Reduction | None]:
    """[n + 1, H'] -> [n + 1, K]: the directions of largest variance over the items, each scaled to variance 1 if
    ``whiten``; at most ``dimension`` of them.

    Principal components of the rows behind the padding's, in float64; the padding's row stays zero. K is smaller than
    asked for where the items' vectors span fewer directions.
    """
    if not whiten and dimension is None:
        return vectors, None
    items = vectors[PADDING + 1 :].double()
    centred = items - items.mean(dim=0)
    _, spread, directions = torch.linalg.svd(centred, full_matrices=False)  # [n, .], [r], [r, H']
    variance = spread.square() / max(len(items), 1)
    kept = int((variance > SMALLEST * variance[:1]).sum())
    kept = min(kept, dimension or kept)
    components = centred @ directions[:kept].T
    scale = variance[:kept].sqrt() if whiten else torch.ones(kept).double()
    components = components / scale
    # The sign of a direction is arbitrary: the largest coordinate of each is positive, on every machine.
    sign = components[components.abs().argmax(dim=0), torch.arange(kept)].sign()
    result = torch.zeros(len(vectors), kept)
    result[PADDING + 1 :] = (components * sign).float()
    return result, Reduction(items.mean(dim=0).float(), (directions[:kept].T / scale * sign).float().contiguous())
