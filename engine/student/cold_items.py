"""Items without a training event: of their vectors a training makes nothing but noise that negatives push away.

An item whose text says something of it gets the mean vector of the trained items of most similar text instead.
Letters: n items, C cold items, K neighbours, H width of the texts' vectors, D width of a model's.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data import catalogue, ids
from engine.data.sequences import Sequences

NEIGHBOURS = 5  # with one, cold items are found twice as often and push trained ones aside
TEMPERATURE = 0.05  # of the softmax of their cosines, which weighs them
AT_ONCE = 1 << 24  # cosines held at the same time


def cold_items(sequences: Sequences, items: int) -> Tensor:  # -> [n + 1] bool
    """Items that no training sequence holds; the padding is none of them."""
    cold = torch.from_numpy(sequences.counts(ids.rows(items)) == 0)
    cold[ids.PADDING] = False
    return cold


class ColdItems:
    """The cold items of a catalogue and the trained items of most similar text."""

    def __init__(self, cold: Tensor, vectors: Tensor) -> None:
        """cold [n + 1] bool, vectors [n + 1, H] of the items' texts."""
        trained = (~cold).nonzero()[:, 0]
        trained = trained[trained != ids.PADDING]
        centred = vectors.float() - vectors[ids.PADDING + 1 :].float().mean(dim=0)
        directions = F.normalize(centred, dim=1).to(cold.device)
        self.items = cold.nonzero()[:, 0]  # [C]
        count, others = min(NEIGHBOURS, len(trained)), directions[trained]
        step = max(1, AT_ONCE // max(1, len(trained)))
        found = [
            (directions[self.items[first : first + step]] @ others.T).topk(count, dim=1)
            for first in range(0, len(self.items), step)
        ]
        self.neighbours = trained[torch.cat([part.indices for part in found])] if found else self.items[:, None]
        cosines = torch.cat([part.values for part in found]) if found else torch.zeros(0, 1, device=cold.device)
        self.weights = torch.softmax(cosines / TEMPERATURE, dim=1)  # [C, K]

    @classmethod
    def of_items(cls, path: Path, vectors: Tensor) -> "ColdItems":
        """Those of a file of items, on the device of the vectors [n + 1, H]."""
        return cls(torch.from_numpy(catalogue.cold(path)).to(vectors.device), vectors)

    def mask(self, rows: int) -> Tensor:  # -> [n + 1] bool
        """Which items are cold."""
        return torch.zeros(rows, dtype=torch.bool, device=self.items.device).index_fill(0, self.items, True)

    @torch.no_grad()
    def fill(self, *tables: Tensor | None) -> None:
        """Writes the weighted mean of their neighbours' rows into the cold items' rows of tables [n + 1, ..]."""
        for table in tables:
            if table is not None and len(self.items):
                rows = table[self.neighbours].reshape(*self.neighbours.shape, -1)  # [C, K, D] or [C, K, 1]
                mean = (self.weights.to(table)[:, :, None] * rows).sum(dim=1)
                table[self.items] = mean.view(-1, *table.shape[1:])
