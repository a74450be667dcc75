"""User states and item vectors of the frozen student, which the teacher reads and never changes.

Letters: E events, R rows, W windows, D width of the student, n items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.student.batches import stretches
from engine.student.cold_items import ColdItems
from engine.student.model import SequenceModel
from engine.student.validation import Tick, user_vectors

WINDOWS_AT_ONCE = 256
LEAST = 3 / 4  # of what the student can read, behind each event of a longer history

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FrozenStudent:
    """A frozen student's item table and biases: item i's score after state u is <u, table_i> + bias_i."""

    model: SequenceModel
    table: Tensor  # [n + 1, D]
    bias: Tensor | None  # [n + 1]

    @classmethod
    @torch.no_grad()
    def of(cls, model: SequenceModel, cold: ColdItems | None = None) -> "FrozenStudent":
        """Of a model, which is put into evaluation mode. ``cold`` items get the vectors of others in it."""
        if cold is not None:
            read, (scored, own) = model.network.inputs(), model.network.outputs()
            cold.fill(read, None if scored is read else scored, own)
        table, bias = model.item_table()
        return cls(model.eval().requires_grad_(False), table.detach().clone(), None if bias is None else bias.detach())

    @torch.no_grad()
    def after_events(self, sequences: Sequences, device: str, tick: Tick) -> Tensor:  # [E, D]
        """The state after each event, given the same user's events up to it as ``windows`` cuts them."""
        start, own, stop = windows(sequences.offsets, self.model.max_length)
        states = torch.zeros(len(sequences.items), self.table.shape[1])
        for first in range(0, len(start), WINDOWS_AT_ONCE):
            some = slice(first, first + WINDOWS_AT_ONCE)
            found = self.model(stretches(sequences.items, start[some], stop[some]).to(device)).cpu()  # [B, T, D]
            column = torch.arange(found.shape[1]) + torch.from_numpy(start[some])[:, None]
            new = (column >= torch.from_numpy(own[some])[:, None]) & (column < torch.from_numpy(stop[some])[:, None])
            states[column[new]] = found[new]
            tick(min(first + WINDOWS_AT_ONCE, len(start)), len(start))
        return states

    @torch.no_grad()
    def after_rows(self, rows: Rows, device: str, tick: Tick) -> Tensor:  # [R, D]
        """The state after each held-out row's history."""
        return user_vectors(self.model, rows.items, rows.start, rows.stop, device, tick).cpu()


def windows(offsets: Ints, longest: int) -> tuple[Ints, Ints, Ints]:  # [S + 1] -> start, own, stop, each [W]
    """Windows of sequences: a student that has read start..stop gives the states after the events own..stop.

    States after the first ``longest`` events and after the last one follow all that a held-out row's would. Between
    them a state follows at least LEAST of it: one window for each event would take ``longest`` times as long as
    training does.
    """
    lengths = np.diff(offsets)
    stride = max(1, int(longest * (1 - LEAST)))
    count = np.where(lengths > 0, 1 + -(-np.maximum(0, lengths - longest) // stride), 0)
    sequence = np.repeat(np.arange(len(lengths)), count)
    index = np.arange(len(sequence)) - np.repeat(np.cumsum(count) - count, count)
    begin, end = offsets[:-1][sequence], offsets[1:][sequence]
    start = np.minimum(begin + index * stride, np.maximum(begin, end - longest))
    stop = np.minimum(start + longest, end)
    own = np.where(index == 0, begin, np.roll(stop, 1))
    return start, own, stop
