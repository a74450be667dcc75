"""Labels of chart axes: round numbers, at least two rows apart, no two of them alike.

A y axis is a range of values, or of their decimal logarithms, over some rows.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from cockpit.models.series import AXES, EPOCH, TIME, nice_step
from cockpit.render.lines import Line
from engine.report import numbers
from engine.report.tables import column

CELLS = 6  # of a usual label
MOST = 9  # of any label
APART = 2  # rows between two labels
EXACT = 16  # significant digits that tell any two floats apart
# Multiples of powers of ten, and powers between two labels, from many labels to few.
DECADES = [((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 5), ((1,), 10), ((1,), 50)]


def y_labels(bottom: float, top: float, rows: int, log: bool) -> dict[int, str]:
    """Row -> label, row 0 on top; ``log``: ``bottom`` and ``top`` are logarithms."""
    span = top - bottom
    if not 0 < span < math.inf or rows < 2:
        return {0: numbers.figure(10**top if log and top < 300 else top, 4)}

    def at(values: Iterable[float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for value in values:
            y = math.log10(value) if log else value
            found.setdefault(round((top - y) / span * (rows - 1)), value)
        return {row: value for row, value in found.items() if 0 <= row < rows}

    rounds: Iterable[list[float]] = _linear(bottom, top, rows)
    if log:
        rounds = _logarithmic(bottom, top, rows) if bottom > -300 and top < 300 else ()
    for values in rounds:
        ticks = at(values)
        if 2 <= len(ticks) == len(values) and _apart(ticks):
            return dict(zip(ticks, texts(list(ticks.values()), log), strict=True))
    ends = [10 ** max(min(edge, 300.0), -300.0) if log else edge for edge in (top, bottom)]  # a low or narrow chart
    return dict(zip((0, rows - 1), texts(ends, log), strict=True))


def _linear(bottom: float, top: float, rows: int) -> Iterable[list[float]]:
    step = nice_step((top - bottom) / max(1, int((rows - 1) / 2.5)))
    if (top - bottom) / step <= 2 * rows and max(abs(bottom), abs(top)) / step < 1e15:
        yield [number * step for number in range(math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9) + 1)]


def _logarithmic(bottom: float, top: float, rows: int) -> Iterable[list[float]]:
    for multiples, stride in DECADES:
        powers = range(math.floor(bottom), math.ceil(top) + 1)
        values = [float(f"{k}e{power}") for power in powers if power % stride == 0 for k in multiples]
        yield [value for value in values if bottom - 1e-9 <= math.log10(value) <= top + 1e-9]
    for values in _linear(10**bottom, 10**top, rows):
        yield [value for value in values if value > 0]


def _apart(ticks: Iterable[int]) -> bool:
    rows = sorted(ticks)
    return all(after - before >= APART for before, after in pairwise(rows))


def texts(values: Sequence[float], log: bool = False) -> list[str]:
    """The shortest texts that tell the values apart and err by little; on a log axis each in its own form."""
    size = max(map(abs, values), default=0.0)
    fewest = min((abs(a - b) for a, b in pairwise(sorted(values)) if a != b), default=size)

    def tell(written: Sequence[str]) -> bool:
        near = all(abs(float(text) - value) <= fewest / 10 for text, value in zip(written, values, strict=True))
        return near and len(set(written)) == len(set(values))

    if log and min(values) > 0 and tell(own := [_own(value) for value in values]):
        return own
    first = max(0, -math.floor(math.log10(fewest) + 1e-9)) if fewest else 0
    for digits in range(first, MOST) if size < 1e7 else ():
        written = [f"{value:.{digits}f}" for value in values]
        plain = ["0" if float(text) == 0 else text for text in written]
        if max(map(len, written)) <= MOST and tell(plain):
            return plain
    for digits in range(EXACT):
        short = [_scientific(value, digits) for value in values]
        if tell(short):
            return short
    return [_scientific(value, EXACT) for value in values]


def _own(value: float) -> str:
    """One or two digits of a value in its own form."""
    short, exact = _scientific(value, 0), _scientific(value, 1)
    if 1e-3 <= value < 1e6:
        return f"{float(exact):g}"
    return short if float(short) == float(exact) else exact


def _scientific(value: float, digits: int) -> str:
    """1e-7, 2.5e12"""
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}" if value and math.isfinite(value) else numbers.figure(value)


def x_axis(left: float, right: float, across: int, axis: str) -> Line:
    """The x axis with the value at its end, and that at its beginning where it is not 0."""
    text = f" {_x_text(right, axis)} {axis if axis in AXES else ''}".rstrip() + " "
    start = f" {_x_text(left, axis)} " if left else ""
    if len(start) + len(text) > across:
        start = ""
    line: Line = [(start, "dim"), ("─" * max(0, across - len(start) - len(text)), "border")]
    return [*line, (column(text, min(len(text), across)), "dim")]


def _x_text(x: float, axis: str) -> str:
    if axis == TIME:
        return numbers.duration(x)
    return f"{x:,.4g}" if axis == EPOCH and x < 1000 else numbers.count(x)


def rounded_end(last: float) -> float:
    """The end of an axis that grows: at most an eighth beyond ``last``, so that cells rarely move."""
    step = nice_step(last / 8)
    return math.ceil(last / step - 1e-9) * step if last > 0 else last
