"""Rows of numbers over the steps of a run, of which the older half gets coarser when there are too many.

T rows, N numbers a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cockpit.models.series import Floats

KEPT = 2048  # rows


class OverTime:
    """Steps [T] and rows [T, N]; a row of another length begins anew."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self.steps: list[float] = []
        self._rows: list[Floats] = []

    def append(self, step: float, row: Sequence[float] | Floats) -> None:
        """Add a row; one of an earlier step than the last replaces what came after that step."""
        new = np.asarray(row, np.float64)
        if self._rows and len(self._rows[-1]) != len(new):
            self.steps, self._rows = [], []
        if self.steps and step < self.steps[-1]:
            self.rewind(step)
        self.steps.append(float(step))
        self._rows.append(new)
        if len(self.steps) > self._kept:  # every other one of the older half goes
            keep = [*range(0, self._kept // 2, 2), *range(self._kept // 2, len(self.steps))]
            self.steps, self._rows = [self.steps[i] for i in keep], [self._rows[i] for i in keep]

    def rewind(self, step: float) -> None:
        """Drop every row after ``step``."""
        keep = sum(1 for one in self.steps if one <= step)
        del self.steps[keep:], self._rows[keep:]

    @property
    def count(self) -> int:
        return len(self.steps)

    def matrix(self) -> Floats:
        """[N, T]"""
        return np.array(self._rows).T if self._rows else np.zeros((0, 0))

    def over(self, size: int) -> Floats:
        """[N, size]: means of the rows in each of ``size`` equal parts of the steps; a part without keeps the last."""
        values = self.matrix()
        if not self.steps or size < 1:
            return np.zeros((len(values), max(size, 0)))
        steps = np.array(self.steps)
        span = steps[-1] - steps[0]
        part = np.minimum((steps - steps[0]) / (span or 1.0) * size, size - 1).astype(int)
        first = np.flatnonzero(np.diff(part, prepend=-1))  # of the rows of each part that has any
        known = ~np.isnan(values)
        sums = np.add.reduceat(np.where(known, values, 0.0), first, axis=1)
        counts = np.add.reduceat(known.astype(np.float64), first, axis=1)
        with np.errstate(invalid="ignore"):
            means = sums / counts
        index = np.searchsorted(part[first], np.arange(size), "right") - 1
        filled: Floats = means[:, index]
        return filled
