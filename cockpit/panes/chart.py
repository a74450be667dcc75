"""A chart: curves in braille, a y axis with labels, a fixed x axis, and a cursor that reads values.

W x H cells, frame included. Knows series, not runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cockpit.models.series import AXES, HUGE, STEP, TIME, Limits, Series, at, nice_step
from cockpit.render.braille import EMPTY, Area, Curve, Window, draw, runs
from cockpit.render.lines import Line, Lines, box, width
from cockpit.theme import CURVES
from engine.report import numbers
from engine.report.tables import column, right, short

if TYPE_CHECKING:
    from cockpit.models.series import Floats
    from engine.metrics.band import Band

LABELS = 6  # cells left of the y axis
STYLES = [f"series{i}" for i in range(CURVES)] + ["raw", "warn"]
RAW, CLIP = CURVES, CURVES + 1
LEAST_PART = 1e-4  # of the x axis
WEIGHTS = (0.0, 0.6, 0.9, 0.98)
UPPER, LOWER = 0x1B, 0xE4  # bits of the upper and the lower half of a cell


@dataclass
class View:
    """How charts are shown; shared by all charts of a screen."""

    smoothing: float = 0.0
    log: bool = False
    axis: str = STEP
    cursor: float | None = None  # 0..1 of the width of the plot
    symbols: str = "braille"  # braille, block, ascii
    left: float = 0.0  # the part of the x axis that is shown, 0..1 of the whole
    right: float = 1.0

    @property
    def part(self) -> bool:
        """Whether only a part of the x axis is shown."""
        return self.right - self.left < 1.0

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much of the x axis, around the cursor, or the middle without one."""
        at = 0.5 if self.cursor is None else self.cursor
        span = self.right - self.left
        fixed = self.left + at * span  # this point stays in its cell
        span = min(max(span * factor, LEAST_PART), 1.0)
        self.left = min(max(fixed - at * span, 0.0), 1.0 - span)
        self.right = self.left + span

    def pan(self, share: float) -> None:
        """Move the part that is shown by a share of its width."""
        span = self.right - self.left
        self.left = min(max(self.left + share * span, 0.0), 1.0 - span)
        self.right = self.left + span

    def whole(self) -> None:
        """Show the whole x axis again."""
        self.left, self.right = 0.0, 1.0


@dataclass
class Trace:
    """One curve: its label, points, colour, dash, and the range around it."""

    label: str
    series: Series
    colour: int
    dash: int = 0
    band: Band | None = None

    @property
    def holes(self) -> int:
        """The dash, or one where the colours repeat."""
        return self.dash or (4 if self.colour >= CURVES else 0)


@dataclass
class Chart:
    """The contents of a chart.

    ``total``: planned number of steps; ``line``: level of a horizontal line; ``floor``: a value that a linear y axis
    always shows.
    """

    title: str
    traces: list[Trace] = field(default_factory=list)
    total: float = 0.0
    line: float | None = None
    floor: float | None = None
    note: Line = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    log_limits: Limits = field(default_factory=Limits)


def render(chart: Chart, view: View, across: int, down: int, focused: bool = False) -> Lines:
    """The chart as ``down`` lines of ``across`` cells."""
    plot_width, plot_height = across - LABELS - 3, down - 3
    if plot_width < 8 or plot_height < 2:
        return box([(short(chart.title, across - 6), "title")], [], across, down, focused)
    curves, window, why_empty = _curves(chart, view, plot_width * 2)
    title: Line = [(chart.title, "title"), *_readout(chart, view, window), *chart.note]
    if view.log:
        title.append(("  log", "dim"))
    if view.part:
        title.append((f"  {view.right - view.left:.2g} of x".replace("0.", "."), "key"))
    if view.smoothing:
        title.append((f"  ema {view.smoothing:g}".replace("0.", "."), "dim"))
    title += _legend(chart, across - 6 - width(title))
    if why_empty:
        blank: Lines = [[] for _ in range(plot_height // 2)]
        return box(title, [*blank, [(f"  {why_empty}", "dim")]], across, down, focused)
    patterns, colours = draw(curves, window, plot_width, plot_height)
    rows = _cells(runs(patterns, colours), view.symbols)
    if view.cursor is not None:
        rows = [_with_cursor(row, round(view.cursor * (plot_width - 1))) for row in rows]
    labels = _labels(window, plot_height, view.log)
    body: Lines = [
        [(right(labels.get(y, ""), LABELS), "dim"), ("┤" if y in labels else "│", "border"), *row]
        for y, row in enumerate(rows)
    ]
    body.append([(" " * LABELS + "└", "border"), *_x_axis(window, plot_width, view.axis)])
    return box(title, body, across, down, focused)


def _curves(chart: Chart, view: View, columns: int) -> tuple[list[Curve | Area], Window, str]:
    """Curves in the coordinates of the plot, its window, and the reason if it is empty."""
    curves: list[Curve] = []
    end = 0.0
    for trace in chart.traces:
        x = trace.series.x(view.axis)
        if not len(x):
            continue
        if not np.isfinite(x).all():
            known = np.isfinite(x)
            if not known.any():
                continue
            x = np.interp(np.arange(len(x)), np.flatnonzero(known), x[known])
            x = np.maximum.accumulate(x)
        if view.smoothing and trace.series.count > 2:
            curves.append(Curve(x, trace.series.values, RAW))
        smooth = trace.series.smooth(view.smoothing) if trace.series.count > 2 else trace.series.values
        curves.append(Curve(x, smooth, trace.colour % CURVES, trace.holes))
        end = max(end, float(x[-1]), _planned(chart, trace.series, x, view.axis))
    if not curves:
        if any(trace.series.count for trace in chart.traces):
            return [], Window(0, 1, 0, 1), f"no {view.axis} was reported (X: another x axis)"
        return [], Window(0, 1, 0, 1), "nothing reported yet"
    bands = [(trace.band, trace.colour % CURVES) for trace in chart.traces if trace.band is not None]
    edges = [Curve(band.x, edge, colour) for band, colour in bands for edge in (band.low, band.high)]
    start, stop = view.left * (end or 1.0), view.right * (end or 1.0)
    everything = [*curves, *edges]
    low, high = _ends([_between(curve, start, stop) for curve in everything] if view.part else everything, view.log)
    if view.part and not math.isfinite(low):  # no value in this part: keep the axis of the whole
        low, high = _ends(everything, view.log)
    if not math.isfinite(low):
        return (
            [],
            Window(0, 1, 0, 1),
            "no positive value on a log axis" if view.log else "every value is NaN or infinite",
        )
    if chart.line is not None and not view.log and chart.line <= 4 * high:
        low, high = min(low, chart.line), max(high, chart.line)
    if chart.floor is not None and not view.log:
        low = min(low, chart.floor)
    bottom, top = (chart.log_limits if view.log else chart.limits).follow(low, high)
    window = Window(start, stop, bottom, top)
    if view.log:
        curves = [Curve(*_logarithms(curve, window, columns), curve.colour, curve.dash) for curve in curves]
        edges = [Curve(*_logarithms(edge, window, columns), edge.colour) for edge in edges]
    areas = [Area(low.x, low.y, high.y, low.colour) for low, high in zip(edges[::2], edges[1::2], strict=True)]
    if chart.line is not None:
        level = math.log10(chart.line) if view.log and chart.line > 0 else chart.line
        curves.insert(0, Curve(np.array([window.left, window.right]), np.full(2, level), CLIP, 3))
    return [*areas, *curves], window, ""


def _planned(chart: Chart, series: Series, x: Floats, axis: str) -> float:
    """The end of the x axis: the planned one, or a rounded one while that is not known."""
    last = float(x[-1])
    if axis == TIME:
        return nice_step(last)
    if chart.total and series.last_step:
        return chart.total if axis == STEP else math.ceil(last * max(1.0, chart.total / series.last_step) - 0.05)
    return nice_step(last)


def _between(curve: Curve, left: float, right: float) -> Curve:
    """The part of a curve between two x, with the points before and after it."""
    first = max(0, int(np.searchsorted(curve.x, left, "left")) - 1)
    last = int(np.searchsorted(curve.x, right, "right")) + 1
    return Curve(curve.x[first:last], curve.y[first:last], curve.colour)


def _ends(curves: Sequence[Curve], log: bool) -> tuple[float, float]:
    """Minimum and maximum of the finite values (log: their logarithms); NaN without one."""
    low, high = math.inf, -math.inf
    for curve in curves:
        good = curve.y[np.isfinite(curve.y) & (curve.y > 0)] if log else curve.y[np.isfinite(curve.y)]
        if len(good):
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    if low > high:
        return math.nan, math.nan
    low, high = max(low, -HUGE), min(high, HUGE)
    return (math.log10(low), math.log10(high)) if log else (low, high)


def _logarithms(curve: Curve, window: Window, columns: int) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return curve.x, np.where(curve.y > 0, np.log10(np.maximum(curve.y, 1e-300)), np.nan)


def _cells(rows: list[list[tuple[str, int]]], symbols: str) -> Lines:
    """Runs of cells with style names; block or ascii symbols for terminals without braille."""
    styled: Lines = []
    for row in rows:
        line: Line = []
        for text, colour in row:
            if symbols != "braille" and colour != EMPTY:
                text = "".join(_coarse(ord(c) - 0x2800, symbols == "ascii") for c in text)
            line.append((text, STYLES[colour] if colour != EMPTY else ""))
        styled.append(line)
    return styled


def _coarse(bits: int, ascii_only: bool) -> str:
    index = bool(bits & UPPER) + 2 * bool(bits & LOWER)
    return (" '.:" if ascii_only else " ▀▄█")[index]


def _with_cursor(row: Line, cell: int) -> Line:
    """A vertical line at a cell without a curve."""
    out: Line = []
    position = 0
    for text, style in row:
        if not style and position <= cell < position + len(text):
            cut = cell - position
            out += [(text[:cut], ""), ("┊", "cursor"), (text[cut + 1 :], "")]
        else:
            out.append((text, style))
        position += len(text)
    return out


def _readout(chart: Chart, view: View, window: Window) -> Line:
    """The values under the cursor."""
    if view.cursor is None:
        return []
    out: Line = []
    x = window.left + view.cursor * (window.right - window.left)
    for trace in chart.traces:
        found = at(trace.series, view.axis, x)
        if found:
            where = numbers.duration(found[0]) if view.axis == TIME else f"{found[0]:,.6g}"
            out.append((f"  {numbers.figure(found[1])}@{where}", STYLES[trace.colour % CURVES]))
    return out


def _legend(chart: Chart, room: int) -> Line:
    """The names of two or more curves in their colours, as many as fit."""
    out: Line = []
    if len(chart.traces) < 2:
        return out
    for trace in chart.traces:
        mark = ("┄┄" if trace.holes else "──") + " "
        text = "  " + mark + short(trace.label, 14)
        if width(out) + len(text) > room:
            break
        out.append((text, STYLES[trace.colour % CURVES]))
    return out


def _labels(window: Window, rows: int, log: bool) -> dict[int, str]:
    """Row -> label: round numbers at least two rows apart."""
    parts = max(1, int((rows - 1) / 2.5))
    span = window.top - window.bottom
    labels: dict[int, str] = {}
    step = nice_step(span / parts)
    if log or not 0 < span / step <= 2 * rows:  # also numbers near the ends of what a float can hold
        for part in range(parts + 1):
            row = round(part * (rows - 1) / parts)
            value = window.top - span * row / max(rows - 1, 1)
            labels[row] = numbers.figure(10 ** min(value, 300.0) if log else value, 2)
        return labels
    digits = _digits(step)
    for number in range(math.ceil(window.bottom / step - 1e-9), math.floor(window.top / step + 1e-9) + 1):
        row = round((window.top - number * step) / span * (rows - 1))
        text = f"{number * step:.{digits}f}"
        labels[row] = text if len(text) <= LABELS else numbers.figure(number * step, 3)
    if len(labels) < 2:  # a low chart between two round numbers
        labels = {0: numbers.figure(window.top, 4), rows - 1: numbers.figure(window.bottom, 4)}
    return labels


def _digits(step: float) -> int:
    """The decimals in which neighbouring labels differ."""
    return min(max(0, -math.floor(math.log10(step) + 1e-9)), 4)


def _x_axis(window: Window, across: int, axis: str) -> Line:
    """The x axis with the value at its end, and that at its beginning where it is not 0."""
    text = f" {_x_text(window.right, axis)} {axis if axis in AXES else ''}".rstrip() + " "
    start = f" {_x_text(window.left, axis)} " if window.left else ""
    if len(start) + len(text) > across:
        start = ""
    line: Line = [(start, "dim"), ("─" * max(0, across - len(start) - len(text)), "border")]
    return [*line, (column(text, min(len(text), across)), "dim")]


def _x_text(x: float, axis: str) -> str:
    return numbers.duration(x) if axis == TIME else numbers.count(x)
