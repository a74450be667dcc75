"""User states and item vectors of the frozen student, which the teacher reads and never changes.

Letters: E events, R rows, D width of the student, n items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.student.batches import stretches
from engine.student.cold_items import ColdItems
from engine.student.model import SequenceModel
from engine.student.validation import Tick, user_vectors

SEQUENCES_AT_ONCE = 256


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
        """The state after each event, given the same user's events up to it (the latest ``max_length`` of them)."""
        longest, events = self.model.max_length, np.diff(sequences.offsets)
        states = torch.zeros(len(sequences.items), self.table.shape[1])
        for first in range(0, len(sequences), SEQUENCES_AT_ONCE):
            start = sequences.offsets[:-1][first : first + SEQUENCES_AT_ONCE]
            length = np.minimum(events[first : first + SEQUENCES_AT_ONCE], longest)
            history = stretches(sequences.items, start, start + length)
            found = self.model(history.to(device)).cpu()  # [B, T, D]
            real = torch.arange(found.shape[1]) < torch.from_numpy(length)[:, None]
            row, column = real.nonzero(as_tuple=True)
            states[torch.from_numpy(start)[row] + column] = found[row, column]
            tick(min(first + SEQUENCES_AT_ONCE, len(sequences)), len(sequences))
        order = np.arange(len(sequences.items)) - np.repeat(sequences.offsets[:-1], events)
        later = np.flatnonzero(order >= longest)  # not reached by a window from the first event
        if len(later):
            states[torch.from_numpy(later)] = user_vectors(
                self.model, sequences.items, later - longest + 1, later + 1, device, tick
            ).cpu()
        return states

    @torch.no_grad()
    def after_rows(self, rows: Rows, device: str, tick: Tick) -> Tensor:  # [R, D]
        """The state after each held-out row's history."""
        return user_vectors(self.model, rows.items, rows.start, rows.stop, device, tick).cpu()
