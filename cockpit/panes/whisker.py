"""Values with their intervals as lines of cells on one scale, and the scale's ticks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cockpit.models.series import nice_step
from cockpit.render.lines import Line

TICK_CELLS = 11  # at least, between two ticks


@dataclass(frozen=True)
class Scale:
    """Values from ``low`` to ``high`` on ``size`` cells."""

    low: float
    high: float
    size: int

    @classmethod
    def of(cls, values: Sequence[float], size: int) -> "Scale":
        """A scale with 0 and all finite values on it, ending at a round number."""
        known = [0.0, *(value for value in values if math.isfinite(value))]
        step = nice_step((max(known) - min(known)) / 10 or 1.0)
        low, high = math.floor(min(known) / step) * step, math.ceil(max(known) / step) * step
        return cls(low, high if high > low else low + 1.0, size)

    def cell(self, value: float) -> int:
        """The cell of a value; the first or last one for a value beyond the scale."""
        if math.isnan(value):
            return 0
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(share * (self.size - 1))

    def ticks(self) -> Line:
        """Labels at round values, each beginning where its value is; the last one ends at the end."""
        step = nice_step((self.high - self.low) * TICK_CELLS / max(self.size, 1))
        text = ""
        for k in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1):
            label = f"{k * step:.6g}".replace("0.", ".", 1)
            at = min(self.cell(k * step), self.size - len(label))
            if not text or at > len(text):
                text = text.ljust(at) + label
        return [(text[: self.size].ljust(self.size), "dim")]


def whisker(scale: Scale, value: float, low: float, high: float, marks: Mapping[float, str], style: str) -> Line:
    """``├──●──┤`` between ``low`` and ``high``, with an arrow where an end is beyond the scale. ``marks``: value ->
    sign of other values that are drawn behind it.
    """
    cells = [(" ", "")] * scale.size
    for other, sign in marks.items():
        cells[scale.cell(other)] = (sign, "grid")
    if not math.isnan(low) and not math.isnan(high):
        left, right = scale.cell(low), scale.cell(high)
        for index in range(left, right + 1):
            cells[index] = ("─", style)
        if right > left:
            cells[left] = ("├" if low >= scale.low else "◂", style)
            cells[right] = ("┤" if high <= scale.high else "▸", style)
    if math.isfinite(value):
        cells[scale.cell(value)] = ("●", style)
    line: Line = []
    for sign, own in cells:
        if line and line[-1][1] == own:
            line[-1] = (line[-1][0] + sign, own)
        else:
            line.append((sign, own))
    return line
