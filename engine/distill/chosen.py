"""Positions of a batch that a term of the loss is computed at, as few of them as count, or as many in every batch.

Where several processes share a batch, they choose as one process would, and each keeps what is its own.
Letters: P positions, R chosen positions; P' and R' those of the whole batch, over all processes.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.student.batches import Share
from engine.training.processes import Processes


@dataclass(frozen=True)
class Chosen:
    """Some positions. Where shapes must not change, some of those are there only to fill up."""

    positions: Tensor  # [R]
    counted: Tensor | None = None  # [R] bool; None: all of them count
    each: Tensor | None = None  # chosen positions for each process, where several share the batch
    order: tuple[Tensor, int] | None = None  # of drawn ones there: [R] index among all that are drawn, and R'

    def filled(self, values: Tensor, other: int) -> Tensor:  # [R] -> [R]
        """Values of positions that count, ``other`` elsewhere."""
        return values if self.counted is None else torch.where(self.counted, values, other)

    def zeroed(self, values: Tensor) -> Tensor:  # [R, X] -> [R, X]
        """Rows of positions that count, 0 elsewhere."""
        return values if self.counted is None else values * self.counted[:, None].to(values.dtype)

    @property
    def weights(self) -> Tensor | None:  # [R]
        """1 for positions that count, 0 elsewhere; None where all do."""
        return None if self.counted is None else self.counted.float()

    def mean(self, values: Tensor) -> Tensor:  # [R, X] or [R] -> scalar
        """The mean over the rows that count; 0 where no row does. The mean of processes is that of the whole batch."""
        if self.each is not None:
            rows = self.zeroed(values if values.ndim == 2 else values[:, None])
            return rows.sum() / (rows.shape[1] * self.each)
        if self.counted is None:
            return values.mean()
        return self.zeroed(values.view(len(values), -1)).mean() * self.filling

    @property
    def filling(self) -> float | Tensor:
        """All positions by those that count: turns a mean over all, the others 0, into one over those."""
        if self.each is not None:
            return len(self.positions) / self.each
        return 1.0 if self.counted is None else len(self.counted) / self.counted.sum().clamp(min=1)


def counting(counts: Tensor) -> Chosen:  # [P] bool
    """The positions that count, in their order; their number is read from the device."""
    return Chosen(counts.nonzero()[:, 0])


def all_of(counts: Tensor) -> Chosen:  # [P] bool
    """All positions."""
    return Chosen(torch.arange(len(counts), device=counts.device), counts)


def drawn(chosen: Chosen, rows: int | None, generator: torch.Generator) -> Chosen:
    """At most ``rows`` of the positions that count, each as likely as another."""
    if rows is None or len(chosen.positions) <= rows:
        return chosen
    device = chosen.positions.device
    if chosen.counted is None:
        order = torch.randperm(len(chosen.positions), generator=generator, device=device)
        return Chosen(chosen.positions[order[:rows]])
    keys = torch.rand(len(chosen.positions), generator=generator, device=device).masked_fill(~chosen.counted, 2.0)
    first = keys.topk(rows, largest=False, sorted=True).indices
    return Chosen(chosen.positions[first], chosen.counted[first])


class Choice:
    """The positions of a batch that are distilled: all of them, some drawn ones, the first ones."""

    def __init__(self, counts: Tensor, fixed: bool) -> None:
        """``counts`` [P] bool; ``fixed``: as many positions are computed in every batch."""
        self._own = (all_of if fixed else counting)(counts)

    def all(self) -> Chosen:
        """Every one."""
        return self._own

    def drawn(self, rows: int | None, generator: torch.Generator) -> Chosen:
        """At most ``rows`` of them."""
        return drawn(self._own, rows, generator)

    def first(self, rows: int | None) -> Chosen:
        """The first ``rows`` of them."""
        return first_of(self._own, rows)


class SharedChoice(Choice):
    """The same of a batch that several processes share: each chooses among all positions and keeps its own."""

    def __init__(self, counts: Tensor, fixed: bool, share: Share, processes: Processes) -> None:
        super().__init__(counts, fixed)
        self._share, self._processes = share, processes
        self._everywhere = processes.total(share.spread(counts.byte())).bool()  # [P']
        self._all = (all_of if fixed else counting)(self._everywhere)

    def all(self) -> Chosen:
        return replace(self._own, each=self._each(self._everywhere))

    def drawn(self, rows: int | None, generator: torch.Generator) -> Chosen:
        """One that does not count where none is this process's, so that all compute the same terms."""
        found = drawn(self._all, rows, generator).positions
        counts = self._everywhere[found]
        own = torch.full_like(self._everywhere, -1, dtype=torch.long)  # [P'] the position here
        own[self._share.index] = torch.arange(len(self._share.index), device=own.device)
        here = own[found]
        mine = (here >= 0).nonzero()[:, 0]
        mine = mine if len(mine) else torch.zeros_like(found[: min(1, len(self._share.index))])
        counted = counts[mine] & (here[mine] >= 0)
        return Chosen(here[mine].clamp(min=0), counted, self._each(counts), (mine, len(found)))

    def first(self, rows: int | None) -> Chosen:
        first = self._everywhere
        if rows is not None:
            first = first & (first.cumsum(0) <= rows)
        return replace(counting(first[self._share.index]), each=self._each(first))

    def _each(self, counts: Tensor) -> Tensor:
        return counts.sum().clamp(min=1) / self._processes.count


def first_of(chosen: Chosen, rows: int | None) -> Chosen:
    """The first ``rows`` of the positions that count."""
    if chosen.counted is None:
        return Chosen(chosen.positions[: rows or len(chosen.positions)])
    order = (~chosen.counted).byte().argsort(stable=True)[: rows or len(chosen.positions)]
    return Chosen(chosen.positions[order], chosen.counted[order])
