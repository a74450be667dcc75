"""Training batches by index arithmetic on flat tensors, each a function of (seed, step) alone.

There is no loader, no worker and no position to remember: step 371 is the same batch however training got there.
Letters: E events, U users, B histories of a batch, T length of the longest, P positions, S steps of an epoch.
"""

from dataclasses import dataclass, replace

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
class Share:
    """Where the positions of one process are among those of a step's whole batch, P' of them."""

    index: Tensor  # [P]
    size: int  # P'

    def spread(self, values: Tensor) -> Tensor:  # [P] -> [P'], zero at positions of other processes
        """Values at their indices in the whole batch."""
        return values.new_zeros(self.size).index_copy_(0, self.index, values)

    def some(self, kept: Tensor) -> "Share":  # [P'] bool
        """The same among the kept positions of the whole batch alone."""
        order = kept.cumsum(0) - 1
        return Share(order[self.index[kept[self.index]]], int(kept.sum()))


@dataclass(frozen=True)
class Batch:
    """Positions of a batch and the item that follows each."""

    items: Tensor  # [P] item ids
    targets: Tensor  # [P] item ids, padding where a cell is padding or the next item is unknown
    events: Tensor  # [P] indices of the targets in the sequences' items; any value in padded cells
    packed: PackedSequences
    weights: Tensor | None  # [P] 1 at positions with a target, 0 elsewhere; None: all have one
    positions: int | Tensor  # with a target, in the whole batch, over all processes: what the loss is divided by
    slots: Tensor | None = None  # [C] 0, 1, ..: a grid's positions with a target fit into that many; None: no grid
    share: Share | None = None  # where several processes share the batch

    @property
    def last_position(self) -> Tensor:  # [P] bool
        """Last positions of histories, whose next item is unknown."""
        return (self.items != PADDING) & (self.targets == PADDING)

    def with_target(self) -> tuple[Tensor, Tensor]:  # -> [C], [C]
        """Positions of a grid that have a target, and 1 for each; others with 0 fill up the slots."""
        assert self.weights is not None and self.slots is not None
        counts = (self.weights > 0).cumsum(0)
        found = torch.searchsorted(counts, self.slots, right=True)
        return found.clamp(max=len(counts) - 1), (self.slots < counts[-1]).float()


class BatchSampler:
    """One window per user and epoch, in an order drawn per epoch: inputs s..s+m-1, targets s+1..s+m.

    ``same_shapes`` makes full grids of ``length`` columns, the fast form on a GPU: an epoch's windows move there in one
    go, and a batch is made of its slice of them on the device. With several processes each computes the whole batch and
    takes every ``world``-th window of it. With ``last_position`` windows include a history's last event, which has no
    target.
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
        self._items = torch.from_numpy(sequences.items).to(self.device)  # on the CPU as they lie in their file
        self._first = torch.from_numpy(sequences.offsets[:-1][usable])
        self._last = torch.from_numpy(sequences.offsets[1:][usable]) - 1
        self._readable = self._last - self._first + last_position  # events that a window may hold
        self._taken = self._readable.clamp(max=length)  # positions of each user's window
        self.per_epoch = -(-len(usable) // batch)
        self._epoch, self._counts = -1, list[int]()
        self._slots = torch.arange(batch * length, device=self.device)
        self._windows, self._divisors = torch.empty(0), torch.empty(0)  # [3, U] and [S] of the epoch, on the device

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over all epochs."""
        batch = self._own(step)
        return batch if self.world == 1 else replace(batch, share=self._share(step, batch.packed))

    def _own(self, step: int) -> Batch:
        windows, _, slots = self.windows(step)
        positions = self.positions(step)
        if self.same_shapes:
            return self.grid(windows, positions, slots)
        start, lengths, last = windows
        longest = int(lengths.max()) if len(lengths) else 1
        packed, rows = ragged(lengths, longest)
        indices = (start[rows] + packed.order).to(self.device)
        if self.device.type != "cpu":
            assert packed.cells is not None
            packed = PackedSequences(packed.rows, longest, packed.order.to(self.device), packed.cells.to(self.device))
        if not self.last_position:
            return Batch(self._at(indices), self._at(indices + 1), indices + 1, packed, None, positions)
        known = indices < last[rows].to(self.device)
        targets = torch.where(known, self._after(indices), PADDING)
        return Batch(self._at(indices), targets, indices + 1, packed, known.float(), positions)

    def _at(self, indices: Tensor) -> Tensor:
        """The items of some events."""
        return self._items[indices].long()

    def _after(self, indices: Tensor) -> Tensor:
        """The items of the events after some; after the very last event comes any."""
        return self._at((indices + 1).clamp(max=len(self._items) - 1))

    def _share(self, step: int, packed: PackedSequences) -> Share:
        whole = self._windows[1, (batch := self._batch(step)) * self.size : (batch + 1) * self.size]
        lengths = torch.full_like(whole, self.length) if packed.cells is None else whole
        first = (lengths.cumsum(0) - lengths)[self.rank :: self.world].to(self.device)  # of each of its windows
        cells = torch.arange(len(packed.order), device=self.device) if packed.cells is None else packed.cells
        return Share(first[cells // packed.longest] + packed.order, int(lengths.sum()))

    def positions(self, step: int) -> int:
        """Supervised positions of a step, over all processes."""
        return self._counts[self._batch(step)]

    def windows(self, step: int) -> tuple[Tensor, Tensor, Tensor]:  # -> [3, B], [], [C]
        """This process's windows of a step (first event, positions, last event of the history), ``positions``, slots.

        With ``same_shapes`` they are on the device. The number of slots is a whole number of eighths of a full grid.
        """
        batch = self._batch(step)
        mine = slice(batch * self.size + self.rank, (batch + 1) * self.size, self.world)
        windows = self._windows[:, mine]
        eighth = -(-len(self._slots) // 8)
        needed = -(-self._counts[batch] // eighth) * eighth  # of all processes: enough for one
        return windows, self._divisors[batch], self._slots[: min(needed, windows.shape[1] * self.length)]

    def grid(self, windows: Tensor, positions: int | Tensor, slots: Tensor) -> Batch:  # [3, B], [], [C]
        """The batch of some windows as a full grid; all of it is computed on the device, in the same shapes."""
        start, lengths, last = windows.unbind()
        order = torch.arange(self.length, device=windows.device)
        real = order < lengths[:, None]  # [B, T]
        # Cells behind the end of a window point at its first item and are then blanked.
        indices = start[:, None] + torch.where(real, order, 0)
        known = real & (indices < last[:, None])
        items = torch.where(real, self._at(indices), PADDING).view(-1)
        targets = torch.where(known, self._after(indices), PADDING).view(-1)
        packed = dense(len(start), self.length, self.device)
        return Batch(items, targets, (indices + 1).view(-1), packed, known.view(-1).float(), positions, slots)

    def _batch(self, step: int) -> int:
        epoch, batch = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        return batch

    def _draw(self, epoch: int) -> None:
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]))
        order = torch.randperm(len(self._first), generator=generator)
        latest = self._readable - self._taken  # the last possible start
        if self.random:
            draw = torch.rand(len(latest), generator=generator, dtype=torch.float64)
            start = self._first + (draw * (latest + 1)).long()
        else:
            start = self._first + latest
        windows = torch.stack([start, self._taken, self._last])[:, order]
        supervised = torch.minimum(windows[1], windows[2] - windows[0])
        counts = F.pad(supervised, (0, self.per_epoch * self.size - len(order))).view(self.per_epoch, self.size).sum(1)
        where = self.device if self.same_shapes else "cpu"
        self._windows, self._divisors = windows.to(where), counts.to(where, torch.float32)
        self._counts, self._epoch = counts.tolist(), epoch


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
