"""What a run used of its machine over time, folded from its ``machine`` and ``sys`` events.

T readings; a reading stands for the seconds before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cockpit.models.series import EPOCH, STEP, Series
from engine.runs.events import Event, number

if TYPE_CHECKING:
    from cockpit.models.series import Floats

FIGURES = ("cpu", "top", "busy", "mem", "used", "rd", "wr", "free", "n")
OF_A_GPU = ("busy", "mem", "own", "w", "c")


class Devices:
    """Readings by figure: ``cpu`` ..., and ``0 busy`` ... of GPU 0."""

    def __init__(self) -> None:
        self.machine: dict[str, Any] = {}  # fields of the latest ``machine`` event
        self.problem = ""  # why readings are missing
        self._times: list[float] = []
        self._values: dict[str, list[float]] = {}  # figure -> [T], NaN where it was not read

    def feed(self, event: Event) -> None:
        """Take the next event of the file."""
        if event["k"] == "machine":
            self.machine = {name: value for name, value in event.items() if name not in ("v", "t", "q", "k")}
        elif event["k"] == "log":
            self.problem = str(event["msg"])
        elif event["k"] == "sys":
            self._times.append(float(event["t"]))
            self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        found = {name: number(event.get(name)) for name in FIGURES}
        for gpu in event.get("gpus") or ():
            if isinstance(gpu, dict) and isinstance(gpu.get("i"), int):
                found |= {f"{gpu['i']} {name}": number(gpu.get(name)) for name in OF_A_GPU}
        count = len(self._times) - 1
        for name, value in found.items():
            if value is not None and name not in self._values:
                self._values[name] = [math.nan] * count
        for name, values in self._values.items():
            read = found.get(name)
            values.append(math.nan if read is None else read)

    @property
    def count(self) -> int:
        return len(self._times)

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """Index ``i``, name and memory of the GPUs that were read."""
        known = {str(name).split()[0] for name in self._values if name[0].isdigit()}
        listed = [gpu for gpu in self.machine.get("gpus") or () if isinstance(gpu, dict)]
        return [gpu for gpu in listed if str(gpu.get("i")) in known]

    def total(self, name: str) -> float | None:
        """A size that readings are part of: ``cores``, ``limit`` or ``disk``."""
        return number(self.machine.get(name))

    def values(self, figure: str) -> Floats:
        """[T], empty where the figure was never read."""
        return np.array(self._values.get(figure, ()), np.float64)

    def now(self, figure: str) -> float | None:
        """The latest reading of a figure."""
        values = self._values.get(figure)
        return values[-1] if values and values[-1] == values[-1] else None

    def peak(self, figure: str) -> float | None:
        """The largest reading of a figure."""
        values = self.values(figure)
        return float(np.nanmax(values)) if len(values) and not np.isnan(values).all() else None

    def series(self, figure: str, scale: float, steps: Series | None) -> Series:
        """Readings times ``scale`` at their times, and at the steps that the run had reached then.

        ``steps``: the series with the most points; readings before its first point and after its last are left out of
        a series with steps. Without it steps are seconds.
        """
        out, times = Series(), np.array(self._times)
        values = self.values(figure) * scale
        if not len(values):
            return out
        if steps is None or steps.count < 2:
            out.extend(times - times[0], values, times, np.full(len(times), np.nan))
            return out
        known, at = steps.times, (times >= steps.times[0]) & (times <= steps.times[-1])
        x, epochs = (np.interp(times, known, steps.x(axis)) for axis in (STEP, EPOCH))
        out.extend(x[at], values[at], times[at], epochs[at])
        return out


def longest(series: Mapping[str, Series]) -> Series | None:
    """The series with the most points: the clock that translates times into steps."""
    found: Sequence[Series] = list(series.values())
    return max(found, key=lambda one: one.count, default=None)
