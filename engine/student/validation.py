"""Ranking metrics on held-out rows: full ranking, in blocks, with seen items hidden or not.

Letters: E events, R rows, D width of a state, n items.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.sequences import Rows
from engine.metrics import ranking
from engine.metrics.selection import by_half
from engine.student.batches import stretches
from engine.student.model import SequenceModel

POSITIONS_AT_ONCE = 1 << 15  # of histories encoded together
SCORES_AT_ONCE = 1 << 27  # between two heartbeats

Tick = Callable[[int, int], None]  # called after every block with how much is done, and of how much: a heartbeat


class Validation:
    """The validation rows on a device, ready to be ranked again and again."""

    def __init__(self, rows: Rows, device: str, hide_seen: bool = True) -> None:
        self._rows, self._device, self._hide_seen = rows, device, hide_seen
        self._items, self._start, self._stop = ranking.on_device(rows.items, rows.start, rows.stop, device)
        self._targets = self._items[self._stop].long()

    def __len__(self) -> int:
        return len(self._rows)

    def ranks(self, model: SequenceModel, tick: Tick | None = None) -> Tensor:  # [R] float64, 1 is best
        """Rank of every row's target. The model must be in eval mode."""
        rows = self._rows
        users = user_vectors(model, rows.items, rows.start, rows.stop, self._device, tick)
        table, bias = model.item_table()
        found = []
        step = max(1, SCORES_AT_ONCE // len(table))
        for first in range(0, len(rows), step):
            some = slice(first, first + step)
            seen = (self._items, self._start[some], self._stop[some]) if self._hide_seen else None
            found.append(ranking.ranks_in_blocks(users[some], table, self._targets[some], bias, seen))
            if tick:
                tick(min(first + step, len(rows)), len(rows))
        return torch.cat(found)

    def __call__(self, model: SequenceModel, tick: Tick | None = None) -> dict[str, float]:
        """val_recall@10 and val_ndcg@10: means over the rows; NDCG also by half of the users."""
        ranks = self.ranks(model, tick)
        return ranking.validation_metrics(ranks) | by_half(ranking.ndcg(ranks, 10).cpu().numpy(), self._rows.users)


@torch.no_grad()
def user_vectors(
    model: SequenceModel,
    items: NDArray[np.int32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    device: str,
    tick: Tick | None = None,
) -> Tensor:  # -> [R, D]
    """State after items[start[r]:stop[r]], the last ``max_length`` of which are read; the model is in eval mode."""
    found = []
    step = max(1, POSITIONS_AT_ONCE // model.max_length)
    start = np.maximum(start, stop - model.max_length)
    for first in range(0, len(start), step):
        some = slice(first, first + step)
        found.append(model.user_vectors(stretches(items, start[some], stop[some]).to(device)))
        if tick:
            tick(min(first + step, len(start)), len(start))
    return torch.cat(found)
