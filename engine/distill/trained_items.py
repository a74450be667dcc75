"""The loss of a student of texts alone over trained items: as negatives, others would only teach to push them down.

Letters: P positions, K items of a teacher's ranking, D width, n items, m of them with a training event.
"""

from dataclasses import replace

import torch
from torch import Tensor

from engine.student.batches import Batch


class TrainedItems:
    """The catalogue without its cold items, numbered anew for a loss over all items."""

    def __init__(self, cold: Tensor) -> None:  # [n + 1] bool
        self.cold = cold
        self._kept = (~cold).nonzero()[:, 0]  # [m + 1] item ids, the padding first
        self._number = (~cold).long().cumsum(0) - 1  # [n + 1]

    def of(self, table: Tensor, bias: Tensor | None, batch: Batch) -> tuple[Tensor, Tensor | None, Batch]:
        """Item vectors [m + 1, D], biases [m + 1] and the batch, whose targets are all trained items."""
        kept = table.index_select(0, self._kept), None if bias is None else bias.index_select(0, self._kept)
        return *kept, replace(batch, targets=self._number[batch.targets])

    def soft(self, targets: Tensor, ranked: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's items [P, K + 1] and probabilities [P, K + 1], the share of its cold items given to the target.

        targets [P], ranked [P, K], teacher [P, K] of sum 1.
        """
        known = teacher.masked_fill(self.cold[ranked], 0.0)
        rest = 1.0 - known.sum(dim=1, keepdim=True)
        return torch.cat([ranked, targets[:, None]], dim=1), torch.cat([known, rest], dim=1)
