"""The lines of each pane of the Live screen."""

from typing import Protocol

from cockpit.context import Context
from cockpit.models.devices import longest
from cockpit.models.rows import Row
from cockpit.models.run_data import RunData
from cockpit.panes import devices, gates, gradients, health, log, over_time, side, system
from cockpit.panes.chart import render as chart
from cockpit.render.lines import Lines
from cockpit.screens import live_layout as layout
from cockpit.screens.live_charts import Charts
from cockpit.screens.live_layout import Pane

LATEST, HEAT, BANDS = "", "heat map", "bands"  # of gates and gradients


class Shown(Protocol):
    """What the panes show: the state of the screen."""

    context: Context
    charts: Charts
    zoomed: bool
    shape: str

    def watched(self) -> list[str]: ...


def key(screen: Shown, pane: Pane, row: Row, data: RunData, focused: bool) -> object:
    """Everything that the lines of a pane depend on; None for short texts that are cheap to draw each time."""
    watch, view = screen.context.watch, repr(screen.context.view)
    watched = screen.watched()
    version = [watch.follow(run).version for run in watched]
    match pane.name:
        case layout.SIDE | layout.HEALTH:
            return None
        case layout.LOG:
            console = watch.console(row.id)
            return pane, focused, row.id, console.version, console.unfinished
        case layout.SYSTEM:
            read = watch.follow(row.id).devices
            if not read.machine:
                return pane, focused, watch.machine
            return pane, focused, read, read.count, read.problem, version, view
        case name if name in data.series:
            drawn = screen.charts.version(row, name, watched)
            return pane, focused, drawn, data.total, row.open, data.gradients.clip, view
    marks = tuple(screen.context.list.marks)
    return pane, focused, row.id, marks, version, screen.charts.layer, screen.shape, view


def draw(screen: Shown, pane: Pane, row: Row, data: RunData, focused: bool) -> Lines:
    """``pane.down`` lines of ``pane.across`` cells."""
    across, down, context = pane.across, pane.down, screen.context
    match pane.name:
        case layout.HEALTH:
            return health.render(row, data, across, down, focused)
        case layout.GRADS | layout.GATES if screen.shape:
            return _over_time(screen, pane, data, focused)
        case layout.GRADS:
            return gradients.render(data.gradients, across, down, focused)
        case layout.GATES:
            render = gates.layers if screen.zoomed else gates.histograms
            return render(data.gates, screen.charts.layer, across, down, focused)
        case layout.STRIP:
            return gates.heat_strip(data.gates, screen.charts.layer, across, down, focused)
        case layout.LOG:
            console = context.watch.console(row.id)
            lines = [*list(console.lines)[-down:], *([console.unfinished] if console.unfinished else [])]
            return log.tail(lines, across, down, [("  L whole screen", "dim")], focused)
        case layout.SYSTEM if (read := context.watch.follow(row.id).devices).machine:
            total = data.total if row.open else None
            return devices.render(read, longest(data.series), context.view, across, down, focused, total)
        case layout.SYSTEM:
            return system.render(context.watch.machine, context.watch.use, across, down, focused)
        case layout.SIDE:
            return side.render(row, context.list, across, down, focused)
        case _:
            return chart(screen.charts.chart(pane.name, row, screen.watched()), context.view, across, down, focused)


def _over_time(screen: Shown, pane: Pane, data: RunData, focused: bool) -> Lines:
    """Gates or gradients as a heat map or as bands."""
    across, down, view, layer = pane.across, pane.down, screen.context.view, screen.charts.layer
    if pane.name == layout.GRADS:
        if screen.shape == HEAT:
            return over_time.gradient_heat(data.gradients, across, down, focused)
        return over_time.gradient_bands(data.gradients, view, across, down, focused)
    if screen.shape == HEAT:
        return over_time.gate_heat(data.gates, layer, across, down, focused)
    return over_time.gate_bands(data.gates, layer, view, across, down, focused)
