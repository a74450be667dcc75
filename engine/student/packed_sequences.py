"""Histories without their padding: the P real positions of B histories as one flat list, and the way to a grid.

Work at padded cells is skipped (on a CPU) or done and ignored (on a GPU, where equal shapes are worth more).
Letters: B histories, T length of the longest, P real positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.ids import PADDING


@dataclass(frozen=True)
class PackedSequences:
    """Which cell of the right-padded grid [B, T] each position belongs to."""

    rows: int  # B
    longest: int  # T
    order: Tensor  # [P] how many real items of the same history stand before the position
    cells: Tensor | None  # [P] row * T + order; None: P = B * T, padded cells take part and must be ignored later

    def grid(self, flat: Tensor) -> Tensor:  # [P, D] -> [B, T, D], zero in padded cells
        """Scatter the positions into their cells."""
        if self.cells is None:
            return flat.view(self.rows, self.longest, -1)
        grid = flat.new_zeros(self.rows * self.longest, flat.shape[1])
        return grid.index_copy(0, self.cells, flat).view(self.rows, self.longest, -1)

    def flat(self, grid: Tensor) -> Tensor:  # [B, T, D] -> [P, D]
        """Gather the cells that hold positions."""
        cells = grid.reshape(self.rows * self.longest, -1)
        return cells if self.cells is None else cells.index_select(0, self.cells)


def ragged(lengths: Tensor, longest: int) -> tuple[PackedSequences, Tensor]:
    """Packing of histories of the given lengths [B], and the row of every position [P]."""
    rows = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)
    first = lengths.cumsum(0) - lengths
    order = torch.arange(len(rows), device=lengths.device) - first[rows]
    return PackedSequences(len(lengths), longest, order, rows * longest + order), rows


def dense(rows: int, longest: int, device: torch.device) -> PackedSequences:
    """Packing in which every cell of the grid takes part."""
    return PackedSequences(rows, longest, torch.arange(longest, device=device).repeat(rows), None)


def of_histories(history: Tensor) -> tuple[PackedSequences, Tensor]:
    """Packing of padded histories [B, T], whatever the side of the padding, and which cells are real [B, T] bool."""
    real = history != PADDING
    lengths = real.sum(dim=1)
    packed, _ = ragged(lengths, max(1, int(lengths.max())) if len(lengths) else 1)
    return packed, real
