"""Prompts of different lengths, one after the other without padding between them; only attention sees them apart.

Behind the last prompt stand one or more filler tokens. Nothing reads their states, so their gradients are zero.
Letters: B prompts, N tokens of all prompts and the filler, T tokens of a grid's rows, C cells of all grids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.backbone.pieces import Ints

PER_GRID = 4  # prompts that attention pads to one length, where shapes may differ


@dataclass(frozen=True)
class Packing:
    """Where each token stands, in its prompt and in the grids on which attention works."""

    prompt: Tensor  # [N] the prompt of each token, any for the filler
    position: Tensor  # [1, N] place in its prompt
    tokens: Tensor  # [C] the token of each cell, the last filler token for padding
    cells: Tensor  # [N] the cell of each token, a cell of padding for the filler
    grids: tuple[tuple[int, int], ...]  # rows and T of each grid
    prompts: int  # B
    fixed: bool  # one of a few shapes

    @property
    def shape(self) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        """Packings of one shape differ in the content of their tensors alone."""
        return len(self.prompt), self.prompts, self.grids

    def copy_(self, other: "Packing") -> None:
        """Takes over the content of a packing of the same shape."""
        for own, value in zip(self._tensors(), other._tensors(), strict=True):
            own.copy_(value)

    def clone(self) -> "Packing":
        """A copy in memory of its own."""
        prompt, position, tokens, cells = (value.clone() for value in self._tensors())
        return Packing(prompt, position, tokens, cells, self.grids, self.prompts, self.fixed)

    def moves(self, length: Ints, columns: int) -> tuple[Tensor, Tensor]:  # -> [N], [B columns]
        """Between rows padded to ``columns`` and packed tokens: the cell of each token, and the token of each cell."""
        start, column = np.cumsum(length) - length, np.arange(columns)
        last = len(self.prompt) - 1
        back = np.where(column < length[:, None], start[:, None] + column, last).reshape(-1)
        into = np.zeros(last + 1, dtype=np.int64)
        into[: int(length.sum())] = np.flatnonzero(column < length[:, None])
        device = self.prompt.device
        return torch.from_numpy(into).to(device, non_blocking=True), torch.from_numpy(back).to(
            device, non_blocking=True
        )

    def _tensors(self) -> tuple[Tensor, ...]:
        return self.prompt, self.position, self.tokens, self.cells


def pack(length: Ints, device: str | torch.device, tokens: int | None = None, longest: int | None = None) -> Packing:
    """The packing of prompts of ``length`` [B] tokens.

    With ``tokens`` and ``longest`` its shape depends on B alone: N = ``tokens`` and one grid whose rows hold
    ``longest``. Otherwise there is one filler token, and prompts of similar length share a grid.
    """
    real = int(length.sum())
    total = real + 1 if tokens is None else tokens
    start = np.cumsum(length) - length
    if longest is not None:
        groups = [np.arange(len(length))]
    else:
        groups = np.array_split(np.argsort(length, kind="stable"), max(1, len(length) // PER_GRID))
    if total <= real or (longest is not None and longest < length.max(initial=0)):
        raise ValueError(f"{real} tokens do not fit into {tokens}, or a prompt into {longest}")
    cells, tables, grids, first = np.zeros(total, dtype=np.int64), [], [], 0
    for k, rows in enumerate(groups):
        # The last column of the last grid is padding in every row: the filler's cells.
        width = int(length[rows].max(initial=0) if longest is None else longest) + (k == len(groups) - 1)
        column = np.arange(width)
        inside = column < length[rows][:, None]
        table = np.where(inside, start[rows][:, None] + column, total - 1)
        cells[table[inside]] = first + np.flatnonzero(inside)
        tables.append(table.reshape(-1))
        grids.append((len(rows), width))
        first += table.size
    cells[real:] = first - 1
    prompt = np.minimum(np.repeat(np.arange(len(length) + 1), [*length, total - real]), len(length) - 1)
    position = np.arange(total) - np.repeat([*start, real], [*length, total - real])
    position[real:] = 0

    def moved(values: Ints) -> Tensor:
        return torch.from_numpy(values).to(device, non_blocking=True)

    table = np.concatenate(tables)
    parts = moved(prompt), moved(position[None]), moved(table), moved(cells)
    return Packing(*parts, tuple(grids), len(length), tokens is not None)


def apart(
    attend: Callable[[Tensor, Tensor, Tensor], Tensor], packing: Packing, *packed: Tensor
) -> Tensor:  # three times [N, heads, D] -> [N, heads, D]
    """``attend`` on the rows of every grid, [b, heads, T, D] -> [b, T, heads, D], for queries, keys and values."""
    moved: Callable[..., Tensor] = _Moved.apply
    sizes = [rows * width for rows, width in packing.grids]
    parts = [torch.split(moved(value, packing.tokens, packing.cells), sizes) for value in packed]
    found = []
    for (rows, width), *cells in zip(packing.grids, *parts, strict=True):
        q, k, v = (value.view(rows, width, *value.shape[1:]).transpose(1, 2) for value in cells)
        found.append(attend(q, k, v).reshape(rows * width, q.shape[1], q.shape[3]))
    whole = found[0] if len(found) == 1 else torch.cat(found)
    return moved(whole, packing.cells, packing.tokens)


class _Moved(torch.autograd.Function):
    """x[there], where x[there][back] = x but for rows that are read by nothing and have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        return dy.index_select(0, back), None, None


def few_sizes(totals: Sequence[int], most: int, multiple: int) -> list[int]:
    """At most ``most`` sizes, multiples of ``multiple``, with the least padding when each total takes the next one."""
    values, counts = np.unique(-(-np.asarray(totals) // multiple) * multiple, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    # cost[j]: least size of all when the first j values use the sizes chosen so far, the last of them values[j - 1]
    cost = np.where(np.arange(len(values) + 1) == 0, 0.0, np.inf)
    choices = []
    for _ in range(min(most, len(values))):
        extended = cost[None, :] + values[:, None] * (before[1:, None] - before[None, :])
        extended = np.where(np.arange(len(values) + 1)[None, :] <= np.arange(len(values))[:, None], extended, np.inf)
        choices.append(extended.argmin(axis=1))
        cost = np.concatenate([[np.inf], extended.min(axis=1)])
    found, at = [], len(values)
    for choice in reversed(choices):
        found.append(int(values[at - 1]))
        at = int(choice[at - 1])
        if at == 0:
            break
    return found[::-1]
