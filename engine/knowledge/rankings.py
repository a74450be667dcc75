"""A teacher's first items of each row with their distances: -log p, where p is the softmax of its scores.

Letters: R rows, W width of a query vector, n items, K items kept.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.data.sequences import Sequences
from engine.metrics import ranking
from engine.metrics.ranking import Histories
from engine.student.untrained import RowScores


@dataclass(frozen=True)
class Rankings:
    """Rankings of training rows. Row r predicts the event ``rows[r]`` of the training sequences.

    The row after the last event of a sequence has the next index, that of the next sequence's first event, which is
    never predicted itself.
    """

    rows: Tensor  # [R] index of the event in the sequences' items
    items: Tensor  # [R, K] item ids, best first
    distances: Tensor  # [R, K] -log p, smaller is surer

    def some(self, which: Tensor) -> "Rankings":  # [R] bool
        """The rankings of some rows."""
        return Rankings(self.rows[which], self.items[which], self.distances[which])

    def at_ends(self, sequences: Sequences) -> "tuple[Rankings, Rankings]":
        """Those of events, and those of what follows the last event of a sequence."""
        events = self.of_events(sequences)
        return self.some(events), self.some(~events)

    def of_events(self, sequences: Sequences) -> Tensor:  # -> [R] bool
        """Which are of an event: a first one is never predicted, so its index is that of the end before it."""
        return ~torch.isin(self.rows, torch.from_numpy(sequences.offsets[1:]))

    def save(self, path: Path) -> None:
        save_file({"rows": self.rows, "items": self.items, "distances": self.distances}, path)

    @classmethod
    def load(cls, path: Path) -> "Rankings":
        return cls(**load_file(path))


def joined(one: Rankings, other: Rankings) -> Rankings:
    """Both of these rankings, with as many items as the shorter ones have."""
    count = min(one.items.shape[1], other.items.shape[1])
    return Rankings(
        torch.cat([one.rows, other.rows]),
        torch.cat([one.items[:, :count], other.items[:, :count]]),
        torch.cat([one.distances[:, :count], other.distances[:, :count]]),
    )


def seen_before(sequences: Sequences, last: NDArray[np.int64], device: str) -> Histories:
    """The events of each one's user up to the events ``last`` [R], these included."""
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))[last]
    return ranking.on_device(sequences.items, first, last + 1, device)


@torch.no_grad()
def top_items(
    queries: Tensor,
    table: Tensor,
    bias: Tensor | None,
    seen: Histories | None,
    count: int,
    added: RowScores | None = None,
) -> tuple[Tensor, Tensor]:  # [R, W], [n + 1, W] -> [R, K] int32, [R, K]
    """The ``count`` best items of every row and their distances; p is over all items, or over those not ``seen``.

    ``added``: scores that no product of vectors gives.
    """
    count = min(count, len(table) - 1)
    items, distances = torch.zeros(len(queries), count, dtype=torch.int32), torch.zeros(len(queries), count)
    for block in ranking.blocks(len(queries), len(table), queries.device.type):
        scores = ranking.score_items(queries[block], table, bias).float()
        scores = scores if added is None else scores + added(block)
        if seen is not None:
            scores[ranking.history_pairs(seen, block)] = -torch.inf
        found = torch.log_softmax(scores, dim=1).topk(count, dim=1)
        items[block], distances[block] = found.indices.to(torch.int32).cpu(), -found.values.cpu()
    return items, distances
