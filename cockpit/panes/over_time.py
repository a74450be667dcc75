"""Gates and gradients over the steps of a run: heat maps with a row for each layer, expert or group, and bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cockpit.models.chart import Chart, Trace, View
from cockpit.models.gates import QUANTILES, Gates
from cockpit.models.gradients import Gradients
from cockpit.models.over_time import OverTime
from cockpit.models.series import Limits, Series
from cockpit.panes.axes import x_axis
from cockpit.panes.chart import render as chart
from cockpit.panes.gates import chosen
from cockpit.render.heat import SHADES
from cockpit.render.lines import Line, Lines, beside, box, fit
from cockpit.theme import CURVES
from engine.metrics.band import Band
from engine.report.tables import column

if TYPE_CHECKING:
    from cockpit.models.series import Floats

NAME = 15  # cells of the name of a row, at most
BY_DECADE = 2.0  # shades for each power of ten below the largest norm of a group
CHART = (34, 7)  # least cells of a chart of bands
LOW, MIDDLE, HIGH = QUANTILES.index(0.1), QUANTILES.index(0.5), QUANTILES.index(0.9)


def gradient_heat(gradients: Gradients, across: int, down: int, focused: bool = False) -> Lines:
    """The norm of every group against its own largest one: █ the largest, a shade less for each half power of ten."""
    title: Line = [("grad over time", "title"), ("  █ a group's own largest, ░ 1/30 of it, blank less", "dim")]
    past = gradients.past
    if not past.count:
        return box(title[:1], [[("no gradients reported", "dim")]], across, down, focused)
    names = [name for name, _ in gradients.names] + [f"group {i}" for i in range(len(past.matrix()))]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = past.over(_room(names, across))
        largest = np.nanmax(np.where(np.isfinite(values), values, np.nan), axis=1, initial=0.0, keepdims=True)
        level = 4 + BY_DECADE * np.log10(values / largest)
    rows = [(name, row, "series0") for name, row in zip(names, level, strict=False)]
    return _map(title, rows, past, across, down, focused)


def gate_heat(gates: Gates, index: int, across: int, down: int, focused: bool = False) -> Lines:
    """The load of every expert, layer by layer from the layer ``index`` on, and the entropy of every layer."""
    title: Line = [("gates over time", "title")]
    found = chosen(gates, index)
    if found is None:
        return box(title, [[("no gates reported", "dim")]], across, down, focused)
    names = list(gates.layers)
    start = index % len(names)
    inside = down - 3
    rows: list[tuple[str, Floats, str]] = []
    size = _room([f"{name} e99" for name in names], across)
    for name in [*names[start:], *names[:start]]:
        layer, loads = gates.layers[name], OverTime()
        for step, load in zip(layer.steps, layer.loads, strict=True):
            loads.append(step, load)
        if rows and len(rows) + layer.experts + len(names) > inside:
            break
        level = loads.over(size) * layer.experts / 2 * 4
        rows += [(f"{name} e{expert}", row, f"series{expert % CURVES}") for expert, row in enumerate(level)]
    for name in names if len(rows) + len(names) <= inside else ():
        entropy, layer = OverTime(), gates.layers[name]
        for step, value in zip(layer.steps, layer.entropies, strict=True):
            entropy.append(step, [value / (layer.most_entropy or 1.0)])
        rows.append((f"{name} H", entropy.over(size)[0] * 4, "ok"))
    title.append((f"  from {found[0]}: load, █ twice the even share; H: entropy", "dim"))
    past = OverTime()
    past.steps = found[1].steps
    return _map(title, rows, past, across, down, focused)


def _room(names: Sequence[str], across: int) -> int:
    return max(1, across - 2 - min(NAME, max(map(len, names))) - 1)


def _map(
    title: Line, rows: Sequence[tuple[str, Floats, str]], past: OverTime, across: int, down: int, focused: bool
) -> Lines:
    """A line of shades for each row; NaN is a dot. Rows without room are counted in the title."""
    size = len(rows[0][1])
    name_size = across - 3 - size
    shown = rows[: max(1, down - 3)]
    lines: Lines = []
    for name, level, style in shown:
        known = np.isfinite(level)
        shade = np.clip(np.where(known, level, 0), 0, 4).round().astype(int)
        text = "".join(SHADES[k] if good else "·" for k, good in zip(shade, known, strict=True))
        lines.append([(column(name, name_size) + " ", "dim"), (text, style)])
    if len(rows) > len(shown):
        title = [title[0], (f"  +{len(rows) - len(shown)} rows", "warn"), *title[1:]]
    if down > 3:
        lines.append([(" " * (name_size + 1), ""), *x_axis(past.steps[0], past.steps[-1], size, "step")])
    return box(title, lines, across, down, focused)


def gradient_bands(gradients: Gradients, view: View, across: int, down: int, focused: bool = False) -> Lines:
    """The middle of the groups' norms, and the range from the tenth to the ninetieth percentile of the groups."""
    past = gradients.past
    drawn = Chart("grad of groups: median, 10-90 %")
    if past.count:
        values = past.matrix()
        low, middle, high = _percentiles(values)
        drawn.traces = [_trace("median", past.steps, low, middle, high, 0)]
    return chart(drawn, View(view.smoothing, True, symbols=view.symbols), across, down, focused)


def _percentiles(values: Floats) -> Floats:
    """[3, T]: percentiles 10, 50 and 90 of the finite values of each column; NaN without one."""
    out = np.full((3, values.shape[1]), np.nan)
    for at in range(values.shape[1]):
        good = values[:, at][np.isfinite(values[:, at]) & (values[:, at] > 0)]
        if len(good):
            out[:, at] = np.percentile(good, (10, 50, 90))
    return out


def gate_bands(gates: Gates, index: int, view: View, across: int, down: int, focused: bool = False) -> Lines:
    """Gate weights of each expert of a layer: the median and the range from the tenth to the ninetieth percentile."""
    found = chosen(gates, index)
    if found is None:
        return box([("gate bands", "title")], [[("no gates reported", "dim")]], across, down, focused)
    name, layer = found
    traces = []
    for expert in range(layer.experts):
        shares = layer.quantiles(expert)
        low, middle, high = (shares[which] if len(shares) else np.zeros(0) for which in (LOW, MIDDLE, HIGH))
        traces.append(_trace(f"e{expert}", layer.shares.steps, low, middle, high, expert % CURVES))
    columns = min(len(traces), max(1, across // CHART[0]))
    rows = -(-len(traces) // columns)
    plain = View(view.smoothing, symbols=view.symbols)
    if rows * CHART[1] > down:  # no room for a chart each
        return chart(Chart(f"gate weights {name}: median, 10-90 %", traces), plain, across, down, focused)
    out: Lines = []
    for line in range(rows):
        shown = traces[line * columns : (line + 1) * columns]
        high_of = down // rows + (line < down % rows)
        sizes = [across // columns + (at < across % columns) for at in range(len(shown))]
        drawn = [
            chart(Chart(f"{name} {trace.label}", [trace], limits=Limits((0.0, 1.0))), plain, size, high_of, focused)
            for trace, size in zip(shown, sizes, strict=True)
        ]
        out += [fit(row, across) for row in beside(drawn)]
    return out


def _trace(label: str, steps: Sequence[float], low: Floats, middle: Floats, high: Floats, colour: int) -> Trace:
    series, x = Series(), np.array(steps)
    series.extend(x, middle, np.zeros(len(x)), np.full(len(x), np.nan))
    return Trace(label, series, colour, band=Band(x, middle, low, high))
