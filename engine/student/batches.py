"""Training batches by index arithmetic on flat tensors, each a function of (seed, step) alone.

There is no loader, no worker and no position to remember: step 371 is the same batch however training got there.
Letters: E events, U users, B histories of a batch, T length of the longest, P positions.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.student.packed_sequences import PackedSequences, dense, ragged


@dataclass(frozen=True)
class Batch:
    """Positions of a batch and the item that follows each."""

    items: Tensor  # [P] item ids
    targets: Tensor  # [P] item ids, padding where a cell is padding or the next item is unknown
    events: Tensor  # [P] indices of the targets in the sequences' items; any value in padded cells
    packed: PackedSequences
    weights: Tensor | None  # [P] 1 at positions with a target, 0 elsewhere; None: all have one
    positions: int  # positions with a target of the whole batch, over all processes: what the loss is divided by

    @property
    def last_position(self) -> Tensor:  # [P] bool
        """Last positions of histories, whose next item is unknown."""
        return (self.items != PADDING) & (self.targets == PADDING)


class BatchSampler:
    """One window per user and epoch, in an order drawn per epoch: inputs s..s+m-1, targets s+1..s+m.

    ``same_shapes`` makes full grids of ``length`` columns, the fast form on a GPU. With several processes each computes
    the whole batch and takes every ``world``-th window of it. With ``last_position`` windows include a history's last
    event, which has no target.
    """

    def __init__(
        self,
        sequences: Sequences,
        *,
        length: int,
        batch: int,
        seed: int,
        random: bool,
        device: str = "cpu",
        same_shapes: bool = False,
        rank: int = 0,
        world: int = 1,
        last_position: bool = False,
    ) -> None:
        events = np.diff(sequences.offsets)
        usable = np.flatnonzero(events > 1)
        if len(usable) == 0:
            raise DataError(
                "no user has two training events, so there is no next item to learn",
                location="training sequences",
                remedy="Loosen the filters of data (data.min_rating, data.core_users) or choose another split.",
            )
        self.device, self.same_shapes, self.rank, self.world = torch.device(device), same_shapes, rank, world
        self.length, self.size, self.seed, self.random, self.last_position = length, batch, seed, random, last_position
        items = torch.from_numpy(sequences.items.astype(np.int64))
        self._items = F.pad(items, (0, 1), value=PADDING).to(self.device)  # so that the last event, too, has a next one
        self._first = torch.from_numpy(sequences.offsets[:-1][usable])
        self._last = torch.from_numpy(sequences.offsets[1:][usable]) - 1
        self._readable = self._last - self._first + last_position  # events that a window may hold
        self._taken = self._readable.clamp(max=length)  # positions of each user's window
        self._epoch, self._order, self._start = -1, torch.empty(0), torch.empty(0)
        self.per_epoch = -(-len(usable) // batch)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over all epochs."""
        users = self._users(step)
        positions = self._supervised(users)
        users = users[self.rank :: self.world]
        lengths, start = self._taken[users], self._start[users]
        if self.same_shapes:
            return self._grid(start, lengths, self._last[users], positions)
        longest = int(lengths.max()) if len(lengths) else 1
        packed, rows = ragged(lengths, longest)
        indices = (start[rows] + packed.order).to(self.device)
        if self.device.type != "cpu":
            assert packed.cells is not None
            packed = PackedSequences(packed.rows, longest, packed.order.to(self.device), packed.cells.to(self.device))
        if not self.last_position:
            return Batch(self._items[indices], self._items[indices + 1], indices + 1, packed, None, positions)
        known = indices < self._last[users][rows].to(self.device)
        targets = torch.where(known, self._items[indices + 1], PADDING)
        return Batch(self._items[indices], targets, indices + 1, packed, known.float(), positions)

    def positions(self, step: int) -> int:
        """Supervised positions of a step, over all processes."""
        return self._supervised(self._users(step))

    def _supervised(self, users: Tensor) -> int:  # [B]
        return int(torch.minimum(self._taken[users], self._last[users] - self._start[users]).sum())

    def _users(self, step: int) -> Tensor:  # [B]
        epoch, batch = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        return self._order[batch * self.size : (batch + 1) * self.size]

    def _grid(self, start: Tensor, lengths: Tensor, last: Tensor, positions: int) -> Batch:
        order = torch.arange(self.length)
        real = (order < lengths[:, None]).to(self.device)  # [B, T]
        # Places behind the end of a window point at its first item and are then blanked.
        indices = (start[:, None] + torch.where(order < lengths[:, None], order, 0)).to(self.device)
        known = real & (indices < last.to(self.device)[:, None])
        items = torch.where(real, self._items[indices], PADDING).view(-1)
        targets = torch.where(known, self._items[indices + 1], PADDING).view(-1)
        packed = dense(len(start), self.length, self.device)
        return Batch(items, targets, (indices + 1).view(-1), packed, known.view(-1).float(), positions)

    def _draw(self, epoch: int) -> None:
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]))
        self._order = torch.randperm(len(self._first), generator=generator)
        latest = self._readable - self._taken  # the last possible start
        if self.random:
            draw = torch.rand(len(latest), generator=generator, dtype=torch.float64)
            self._start = self._first + (draw * (latest + 1)).long()
        else:
            self._start = self._first + latest
        self._epoch = epoch


def histories(rows: Rows, indices: NDArray[np.int64] | slice, length: int) -> Tensor:  # -> [B, T] item ids
    """Last ``length`` items before each held-out row's target, padded on the right to the longest of them."""
    stop = rows.stop[indices]
    return stretches(rows.items, np.maximum(rows.start[indices], stop - length), stop)


def stretches(items: NDArray[np.int32], start: NDArray[np.int64], stop: NDArray[np.int64]) -> Tensor:
    """items[start[b]:stop[b]] as rows of one tensor [B, T], padded on the right."""
    lengths = stop - start
    columns = np.arange(max(1, int(lengths.max(initial=0))))
    real = columns < lengths[:, None]
    taken = items[np.where(real, start[:, None] + columns, 0)] if len(items) else np.zeros(real.shape, dtype=np.int32)
    return torch.from_numpy(np.where(real, taken, PADDING).astype(np.int64))
