"""A chart: curves in braille, one or two y axes, an x axis that ends where the data or the plan ends, and a cursor.

W x H cells, frame included. Knows series, not runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cockpit.models.chart import Chart, Trace, View
from cockpit.models.series import HUGE, STEP, TIME, Series, at
from cockpit.panes.axes import CELLS, rounded_end, x_axis, y_labels
from cockpit.render.braille import EMPTY, Area, Curve, Window, draw, runs
from cockpit.render.lines import Line, Lines, box, width
from cockpit.theme import CURVES
from engine.report import numbers
from engine.report.tables import right, short

if TYPE_CHECKING:
    from cockpit.models.series import Floats

STYLES = [f"series{i}" for i in range(CURVES)] + ["raw", "warn"]
RAW, CLIP = CURVES, CURVES + 1
UPPER, LOWER = 0x1B, 0xE4  # bits of the upper and the lower half of a cell
NARROWEST, LOWEST = 8, 2  # cells of a plot
OTHER_SCALE = 4.0  # a metric whose largest value differs by this factor has the y axis on the right
NOTHING = Window(0, 1, 0, 1)


def render(chart: Chart, view: View, across: int, down: int, focused: bool = False) -> Lines:
    """The chart as ``down`` lines of ``across`` cells."""
    high = down - 3
    if across - CELLS - 3 < NARROWEST or high < LOWEST:
        return box([(short(chart.title, across - 6), "title")], [], across, down, focused)
    curves, window, aside, why_empty = _curves(chart, view)
    snapped = _snapped(chart, view, window)
    title = _title(chart, view, snapped, across - 6)
    if why_empty:
        blank: Lines = [[] for _ in range(high // 2)]
        return box(title, [*blank, [(f"  {why_empty}", "dim")]], across, down, focused)
    labels = y_labels(window.bottom, window.top, high, view.log)
    others = y_labels(aside[0], aside[1], high, False) if aside else {}
    room = across - 3 - NARROWEST
    size = min(max(CELLS, *map(len, labels.values())), room)
    other_size = min(max(map(len, others.values()), default=0), room - size - 1)
    if other_size < 1:
        others, other_size = {}, -1
    wide = across - size - 3 - (other_size + 1)
    patterns, colours = draw(curves, window, wide, high)
    rows = styled(runs(patterns, colours), view.symbols)
    if snapped is not None:
        share = (snapped - window.left) / ((window.right - window.left) or 1.0)
        rows = [_with_cursor(row, round(share * (2 * wide - 1)) // 2) for row in rows]
    body: Lines = []
    for y, row in enumerate(rows):
        line: Line = [(right(labels.get(y, ""), size), "dim"), ("┤" if y in labels else "│", "border"), *row]
        if others:
            line += [("├" if y in others else "│", "border"), (others.get(y, "").ljust(other_size), "dim")]
        body.append(line)
    corner = "┘" if others else ""
    body.append([(" " * size + "└", "border"), *x_axis(window.left, window.right, wide, view.axis), (corner, "border")])
    return box(title, body, across, down, focused)


def _title(chart: Chart, view: View, snapped: float | None, room: int) -> Line:
    """Name, values under the cursor, note, what the view changes, and the legend, for which the note gives way."""
    title: Line = [(chart.title, "title"), *_readout(chart, view, snapped)]
    marks: Line = []
    if view.log:
        marks.append(("  log", "dim"))
    if view.part:
        marks.append((f"  {view.right - view.left:.2g} of x".replace("0.", "."), "key"))
    if view.smoothing:
        marks.append((f"  ema {view.smoothing:g}".replace("0.", "."), "dim"))
    for start in ([*title, *chart.note, *marks], [*title, *marks]):
        legend, left = _legend(chart, room - width(start))
        if not left:
            break
    return [*start, *legend]


def _curves(chart: Chart, view: View) -> tuple[list[Curve | Area], Window, tuple[float, float] | None, str]:
    """Curves in the coordinates of the plot, its window, the ends of the right y axis, the reason if it is empty."""
    curves: list[Curve] = []
    owners: list[Trace] = []
    end = 0.0
    for trace in chart.traces:
        x = _x(trace.series, view.axis)
        if not len(x):
            continue
        if view.smoothing and trace.series.count > 2:
            curves.append(Curve(x, trace.series.values, RAW))
            owners.append(trace)
        smooth = trace.series.smooth(view.smoothing) if trace.series.count > 2 else trace.series.values
        curves.append(Curve(x, smooth, trace.colour % CURVES, trace.holes))
        owners.append(trace)
        end = max(end, float(x[-1]), _planned(chart, trace.series, x, view.axis))
    if not curves:
        if any(trace.series.count for trace in chart.traces):
            return [], NOTHING, None, f"no {view.axis} was reported (X: another x axis)"
        return [], NOTHING, None, "nothing reported yet"
    bands = [(trace.band, trace.colour % CURVES) for trace in chart.traces if trace.band is not None]
    edges = [Curve(band.x, edge, colour) for band, colour in bands for edge in (band.low, band.high)]
    start, stop = view.left * (end or 1.0), view.right * (end or 1.0)
    _choose_sides(chart, view)
    everything = [*[curve for curve, owner in zip(curves, owners, strict=True) if not owner.aside], *edges]
    low, high = _seen_ends(everything, view, start, stop)
    if not math.isfinite(low):
        return [], NOTHING, None, "no positive value on a log axis" if view.log else "every value is NaN or infinite"
    if chart.line is not None and not view.log and chart.line <= 4 * high:
        low, high = min(low, chart.line), max(high, chart.line)
    if chart.floor is not None and not view.log:
        low = min(low, chart.floor)
    bottom, top = (chart.log_limits if view.log else chart.limits).follow(low, high)
    window = Window(start, stop, bottom, top)
    aside = None
    others = [curve for curve, owner in zip(curves, owners, strict=True) if owner.aside]
    if others:
        ends = _seen_ends(others, view, start, stop)
        aside = chart.aside_limits.follow(*ends) if math.isfinite(ends[0]) else None
        scale = (top - bottom) / ((aside[1] - aside[0]) or 1.0) if aside else 0.0
        curves = [
            replace(curve, y=bottom + (curve.y - aside[0]) * scale) if aside and owner.aside else curve
            for curve, owner in zip(curves, owners, strict=True)
        ]
    if view.log:
        curves = [replace(curve, y=_logarithms(curve.y)) for curve in curves]
        edges = [replace(edge, y=_logarithms(edge.y)) for edge in edges]
    areas = [Area(low.x, low.y, high.y, low.colour) for low, high in zip(edges[::2], edges[1::2], strict=True)]
    if chart.line is not None:
        level = math.log10(chart.line) if view.log and chart.line > 0 else chart.line
        curves.insert(0, Curve(np.array([window.left, window.right]), np.full(2, level), CLIP, 3))
    return [*areas, *curves], window, aside, ""


def _x(series: Series, axis: str) -> Floats:
    """Finite x coordinates [N] that never decrease; [0] where none is known."""
    x = series.x(axis)
    known = np.isfinite(x)
    if known.all():
        return x
    if not known.any():
        return x[:0]
    x = np.interp(np.arange(len(x)), np.flatnonzero(known), x[known])
    return np.maximum.accumulate(x)


def _choose_sides(chart: Chart, view: View) -> None:
    """Put metrics of another scale than the first one on the right y axis; a log axis holds them all."""
    if view.log or len({trace.metric for trace in chart.traces}) < 2:
        for trace in chart.traces:
            trace.aside = False
        return
    largest: dict[str, float] = {}
    for trace in chart.traces:
        good = np.abs(trace.series.values[np.isfinite(trace.series.values)])
        largest[trace.metric] = max(largest.get(trace.metric, 0.0), float(good.max(initial=0.0)))
    first = next(iter(largest.values()), 0.0)
    for trace in chart.traces:
        sizes = sorted((first, largest[trace.metric]))
        trace.aside = sizes[0] * OTHER_SCALE < sizes[1] and largest[trace.metric] > 0 < first


def _planned(chart: Chart, series: Series, x: Floats, axis: str) -> float:
    """The end of the x axis: the planned one, else that of the data."""
    last = float(x[-1])
    if chart.total and series.last_step and axis != TIME:
        return chart.total if axis == STEP else math.ceil(last * max(1.0, chart.total / series.last_step) - 0.05)
    return rounded_end(last) if chart.growing else last


def _seen_ends(curves: Sequence[Curve], view: View, start: float, stop: float) -> tuple[float, float]:
    """The ends of the values in the part that is shown, or of all where that has none."""
    if view.part:
        ends = _ends([_between(curve, start, stop) for curve in curves], view.log)
        if math.isfinite(ends[0]):
            return ends
    return _ends(curves, view.log)


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


def _logarithms(y: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(y > 0, np.log10(np.maximum(y, 1e-300)), np.nan)


def styled(rows: list[list[tuple[str, int]]], symbols: str) -> Lines:
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
    """A vertical line at a cell; where a curve passes through it, the curve in the cursor's colour."""
    out: Line = []
    position = 0
    for text, style in row:
        cut = cell - position
        if 0 <= cut < len(text):
            mark = text[cut] if style else "┊"
            out += [(text[:cut], style), (mark, "cursor"), (text[cut + 1 :], style)]
        else:
            out.append((text, style))
        position += len(text)
    return out


def _snapped(chart: Chart, view: View, window: Window) -> float | None:
    """The x of the cursor: that of the nearest point of the first curve, which is the one whose value is read."""
    if view.cursor is None:
        return None
    x = window.left + view.cursor * (window.right - window.left)
    found = next((point for trace in chart.traces if (point := at(trace.series, view.axis, x))), None)
    return x if found is None else min(max(found[0], window.left), window.right)


def _readout(chart: Chart, view: View, x: float | None) -> Line:
    """The values under the cursor."""
    out: Line = []
    for trace in chart.traces if x is not None else ():
        found = at(trace.series, view.axis, x or 0.0)
        if found:
            where = numbers.duration(found[0]) if view.axis == TIME else f"{found[0]:,.6g}"
            out.append((f"  {numbers.figure(found[1])}@{where}", STYLES[trace.colour % CURVES]))
    return out


def legend_lines(chart: Chart) -> Lines:
    """Every curve of the chart by its whole name, a line each."""
    lines: Lines = []
    for trace in chart.traces:
        mark, style = "┄┄ " if trace.holes else "── ", STYLES[trace.colour % CURVES]
        name = " ".join(dict.fromkeys(word for word in (trace.label, trace.metric) if word))
        lines.append([(f"  {mark}{name}{'  (right axis)' if trace.aside else ''}", style)])
    return lines


def _legend(chart: Chart, room: int) -> tuple[Line, int]:
    """The names of two or more curves in their colours, as many as fit, and the number of the others."""
    if len(chart.traces) < 2:
        return [], 0
    names = []
    for trace in chart.traces:
        mark = ("┄┄" if trace.holes else "──") + " "
        text = "  " + mark + short(trace.label, 14) + (" →" if trace.aside else "")
        names.append((text, STYLES[trace.colour % CURVES]))
    fits = len(names)
    while fits and width(names[:fits]) + (len(f"  +{len(names) - fits}") if fits < len(names) else 0) > room:
        fits -= 1
    left = len(names) - fits
    more: Line = [(f"  +{left}", "dim")] if left and len(f"  +{left}") <= room else []
    return names[:fits] + more, left
