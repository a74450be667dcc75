"""A metric over time: appended points, smoothing, and three kinds of x axis.

N points, sorted by step; a value may be NaN or infinite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a tenth of a second that the start should not pay
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Values = Sequence[float] | Floats


STEP, EPOCH, TIME = "step", "epoch", "time"
AXES = (STEP, EPOCH, TIME)
BLOCK = 64  # points that are smoothed at once; .6 ** 64 is far from the smallest float
TINY = 1e-150  # values closer than this count as equal: the scale of a narrower axis would overflow
HUGE = 1e150  # values are clipped to this: sums and differences of larger ones would overflow


class Series:
    """Steps, epochs, times [s] and values [N] in arrays that double when they are full.

    New points wait in a list until they are read: a million single appends take a second instead of ten.
    """

    def __init__(self) -> None:
        self._stored = 0
        self._rows = np.empty((4, 64))  # step, epoch, time, value
        self._waiting: list[tuple[float, float, float, float]] = []
        self._smooth: dict[float, Smooth] = {}

    def append(self, step: float, value: float, time: float, epoch: float | None = None) -> None:
        """Add a point; one of an earlier step than the last replaces what came after that step."""
        if step < self.last_step and self.count:
            self.rewind(step)
        self._waiting.append((step, math.nan if epoch is None else epoch, time, value))

    def extend(self, steps: Values, values: Values, times: Values, epochs: Values) -> None:
        """Append points in order of steps. Times never decrease, even where the clock was put back."""
        self._store()
        new = self._stored + len(steps)
        if new > self._rows.shape[1]:
            grown = np.empty((4, max(new, 2 * self._rows.shape[1])))
            grown[:, : self._stored] = self._rows[:, : self._stored]
            self._rows = grown
        part = self._rows[:, self._stored : new]
        part[0], part[1], part[2], part[3] = steps, epochs, times, values
        if self._stored:
            part[2] = np.maximum(part[2], self._rows[2, self._stored - 1])
        np.maximum.accumulate(part[2], out=part[2])
        self._stored = new

    def _store(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            steps, epochs, times, values = np.array(waiting).T
            self.extend(steps, values, times, epochs)

    def rewind(self, step: float) -> None:
        """Drop every point after ``step``: a resumed run repeats them."""
        self._stored = int(np.searchsorted(self.steps, step, "right"))
        self._smooth.clear()

    @property
    def count(self) -> int:
        return self._stored + len(self._waiting)

    @property
    def last_step(self) -> float:
        if self._waiting:
            return self._waiting[-1][0]
        return float(self._rows[0, self._stored - 1]) if self._stored else 0.0

    def _row(self, number: int) -> Floats:
        self._store()
        return self._rows[number, : self._stored]

    @property
    def steps(self) -> Floats:
        return self._row(0)

    @property
    def epochs(self) -> Floats:
        return self._row(1)

    @property
    def times(self) -> Floats:
        return self._row(2)

    @property
    def values(self) -> Floats:
        return self._row(3)

    def x(self, axis: str) -> Floats:
        """x coordinates [N]: steps, epochs, or seconds since the first point."""
        if axis == EPOCH:
            return self.epochs
        if axis == TIME:
            return self.times - self.times[0] if self.count else self.times
        return self.steps

    def smooth(self, weight: float) -> Floats:
        """s_t = w s_(t-1) + (1 - w) y_t, divided by 1 - w^t to correct the bias of the start: [N].

        A value that is not finite is replaced by the one before it; before the first finite one there is a gap.
        Smoothed values are kept, so that a call costs only the new points.
        """
        if not weight:
            return self.values
        kept = self._smooth.setdefault(weight, Smooth())
        kept.follow(self.values, weight)
        return kept.values[: self.count]


class Smooth:
    """A running exponential average: its values so far, and the state that the next point needs."""

    def __init__(self) -> None:
        self.values = np.empty(64)
        self._done = 0
        self._gap = 0  # points before the first finite one
        self._sum = 0.0
        self._last = np.nan

    def follow(self, values: Floats, weight: float) -> None:
        """Smooth the points since the last call. values [N]."""
        if len(self.values) < len(values):
            grown = np.empty(max(len(values), 2 * len(self.values)))
            grown[: self._done] = self.values[: self._done]
            self.values = grown
        new = values[self._done :]
        if np.isnan(self._last):
            good = np.isfinite(new)
            gap = int(np.argmax(good)) if good.any() else len(new)
            self.values[self._done : self._done + gap] = np.nan
            self._done += gap
            self._gap = self._done
            new = new[gap:]
        for start in range(0, len(new), BLOCK):
            part = self._filled(new[start : start + BLOCK])
            power = weight ** np.arange(1, len(part) + 1)
            # Summed with growing factors and scaled back: s_k = w^k (s_0 + (1 - w) sum_j y_j / w^j).
            sums = power * (self._sum + (1 - weight) * np.cumsum(part / power))
            self._sum = float(sums[-1])
            age = np.arange(1, len(part) + 1) + self._done - self._gap
            self.values[self._done : self._done + len(part)] = sums / -np.expm1(age * np.log(weight))
            self._done += len(part)

    def _filled(self, part: Floats) -> Floats:
        """Replace every value that is not finite by the last finite one, and clip the rest."""
        good = np.isfinite(part)
        part = np.clip(part, -HUGE, HUGE)
        if not good.all():
            known = np.concatenate(([self._last], part))
            index = np.maximum.accumulate(np.where(np.concatenate(([True], good)), np.arange(len(known)), 0))
            part = known[index][1:]
        self._last = float(part[-1])
        return part


def at(series: Series, axis: str, x: float) -> tuple[float, float] | None:
    """(x, value) of the point nearest to ``x``; None without points."""
    xs = series.x(axis)
    if not len(xs):
        return None
    index = int(np.clip(np.searchsorted(xs, x), 0, len(xs) - 1))
    if index and x - xs[index - 1] < xs[index] - x:
        index -= 1
    return float(xs[index]), float(series.values[index])


def nice_step(value: float) -> float:
    """The smallest of ... 1, 2, 5, 10, 20 ... that is not below ``value`` (> 0)."""
    if not (0 < value < 1e300):
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return next((float(power * k) for k in (1, 2, 5, 10) if value <= power * k * (1 + 1e-12)), float(power * 10))


class Limits:
    """Ends of a y axis, rounded to 1-2-5 steps, that change only when the data leaves them or fills less than a third.

    Drawn cells stay the same in between, so that nothing is sent to the terminal again.
    """

    def __init__(self, fixed: tuple[float, float] | None = None) -> None:
        self.low, self.high = fixed or (0.0, 1.0)
        self._fixed = fixed is not None
        self._set = False

    def follow(self, low: float, high: float) -> tuple[float, float]:
        """The ends for data between ``low`` and ``high``; always the same ones when they are fixed."""
        if self._fixed:
            return self.low, self.high
        if not np.isfinite(low) or not np.isfinite(high):
            return self.low, self.high
        span = self.high - self.low
        inside = self.low <= low and high <= self.high
        if not (self._set and inside and (high - low) * 3 >= span):
            self.low, self.high = _rounded(low, high)
            self._set = True
        return self.low, self.high


def _rounded(low: float, high: float) -> tuple[float, float]:
    if high - low < TINY:
        pad = nice_step(abs(high)) / 2 if abs(high) >= TINY else 0.5
        low, high = low - pad, high + pad
    step = nice_step((high - low) / 8)
    bottom, top = np.floor(low / step) * step, np.ceil(high / step) * step
    if 0 <= bottom <= (high - low) / 2:  # zero is near: begin there, so heights can be compared
        bottom = 0.0
    return float(bottom), float(top)
