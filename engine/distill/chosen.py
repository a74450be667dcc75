"""Positions of a batch that a term of the loss is computed at, as few of them as count, or as many in every batch.

Letters: P positions, R chosen positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Chosen:
    """Some positions. Where shapes must not change, some of those are there only to fill up."""

    positions: Tensor  # [R]
    counted: Tensor | None = None  # [R] bool; None: all of them count

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
        """The mean over the rows that count; 0 where no row does."""
        if self.counted is None:
            return values.mean()
        return self.zeroed(values.view(len(values), -1)).mean() * self.filling

    @property
    def filling(self) -> float | Tensor:
        """All positions by those that count: turns a mean over all, the others 0, into one over those."""
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


def first_of(chosen: Chosen, rows: int | None) -> Chosen:
    """The first ``rows`` of the positions that count."""
    if chosen.counted is None:
        return Chosen(chosen.positions[: rows or len(chosen.positions)])
    order = (~chosen.counted).byte().argsort(stable=True)[: rows or len(chosen.positions)]
    return Chosen(chosen.positions[order], chosen.counted[order])
