"""Screen 2: one run as it works, with marked runs laid over its curves."""

from typing import TYPE_CHECKING

from cockpit.keys import LIVE
from cockpit.models.rows import Row
from cockpit.models.run_data import TOTAL, RunData
from cockpit.panes import gates, gradients, health, log, side, system
from cockpit.panes.chart import render as chart
from cockpit.panes.run_table import appearance
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines
from cockpit.screens import live_layout as layout
from cockpit.screens.live_charts import Charts
from cockpit.screens.live_layout import Pane, arrange
from engine.report import numbers

if TYPE_CHECKING:
    from cockpit.context import Context

OVERLAID = 5  # marked runs beside the one that is shown


class LiveScreen:
    """Curves, gradients, gates, health, console and machine. ``run`` is the id of the run that is shown."""

    name = LIVE

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.run = ""
        self.focus = ""  # the pane that tab went to; empty: the first chart
        self.zoomed = False
        self.side = True
        self._charts = Charts(context)
        self._places: list[Pane] = []
        self._drawn: dict[str, tuple[object, Lines]] = {}  # pane -> what it depended on, its lines

    @property
    def row(self) -> Row | None:
        rows = self.context.list.rows
        if self.run not in rows:
            living = [row for row in rows.values() if row.live] or list(rows.values())
            self.run = max(living, key=lambda row: (row.created, row.id)).id if living else ""
        return rows.get(self.run)

    def open(self, run: str) -> None:
        """Show a run."""
        self.run, self._charts.layer, self.context.view.cursor = run, 0, None
        self.context.view.whole()

    def title(self) -> Line:
        row = self.row
        if row is None:
            return []
        mark, _, style = appearance(row)
        line: Line = [(f"  {row.stage} {row.name}  ", "bold"), (f"{mark} {row.state}", style)]
        if row.epoch is not None:
            line.append((f"  ep {row.epoch:.3g}", ""))
        if row.open and row.eta is not None:
            line.append((f"  eta {numbers.duration(row.eta)}", ""))
        if self.context.watch.follow(row.id).loading:
            line.append(("  reading", "dim"))
        return line

    def watched(self) -> list[str]:
        return [self.row.id, *self._others()] if self.row else []

    def _others(self) -> list[str]:
        return [run for run in self.context.list.marks if run != self.run][:OVERLAID]

    @property
    def data(self) -> RunData:
        return self.context.watch.follow(self.run).data

    def charts(self) -> list[str]:
        """Metrics that have a chart, in order."""
        return self._charts.names(self.row, self.data) if self.row else []

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        row = self.row
        if row is None:
            return [[], [("  no runs yet: a launches one", "dim")]]
        data, charts = self.data, self.charts()
        have_gates, have_grads = bool(data.gates.layers), bool(data.gradients.norms)
        names = layout.panes(charts, have_gates, have_grads)
        if self.focus not in names:
            self.focus = ""
        focus = self.focus or charts[0]
        if self.zoomed:
            places = [Pane(focus, 0, 0, across, down)]
        else:
            places = arrange(across, down, charts, gates=have_gates, grads=have_grads, side=self.side, focus=focus)
        self._places = places
        rows: Lines = [[] for _ in range(down)]
        for place in sorted(places, key=lambda place: place.x):
            for offset, line in enumerate(self._pane(place, row, data, place.name == focus)):
                rows[place.y + offset].extend(line)
        return rows

    def _pane(self, place: Pane, row: Row, data: RunData, focused: bool) -> Lines:
        """A pane's lines; drawn again only when something it shows has changed."""
        version: object = [self.context.watch.follow(run).version for run in self.watched()]
        view = self.context.view
        key: object = (
            place,
            focused,
            self.run,
            tuple(self.context.list.marks),
            version,
            self._charts.layer,
            repr(view),
        )
        if place.name == layout.LOG:
            console = self.context.watch.console(row.id)
            key = (place, focused, self.run, console.version, console.unfinished)
        elif place.name == layout.SYSTEM:
            key = (place, focused, self.context.watch.system)
        elif place.name in (layout.SIDE, layout.HEALTH):
            key = None  # short texts over many facts: cheap, and always right
        elif place.name in data.series:
            on_it = self._charts.version(row, place.name, self.watched())
            key = (place, focused, on_it, data.total, data.gradients.clip, repr(view))
        kept = self._drawn.get(place.name)
        if kept is not None and key is not None and kept[0] == key:
            return kept[1]
        lines = self._draw_pane(place, row, data, focused)
        self._drawn[place.name] = (key, lines)
        return lines

    def _draw_pane(self, place: Pane, row: Row, data: RunData, focused: bool) -> Lines:
        across, down, context = place.across, place.down, self.context
        match place.name:
            case layout.HEALTH:
                return health.render(row, data, across, down, focused)
            case layout.GRADS:
                return gradients.render(data.gradients, across, down, focused)
            case layout.GATES:
                draw = gates.layers if self.zoomed else gates.histograms
                return draw(data.gates, self._charts.layer, across, down, focused)
            case layout.STRIP:
                return gates.heat_strip(data.gates, self._charts.layer, across, down, focused)
            case layout.LOG:
                console = context.watch.console(row.id)
                lines = [*list(console.lines)[-down:], *([console.unfinished] if console.unfinished else [])]
                return log.tail(lines, across, down, [("  L whole screen", "dim")], focused)
            case layout.SYSTEM:
                return system.render(context.watch.system, context.watch.use, across, down, focused)
            case layout.SIDE:
                return side.render(row, context.list, across, down, focused)
            case _:
                return chart(self._charts.chart(place.name, row, self.watched()), context.view, across, down, focused)

    # -- keys ----------------------------------------------------------------------------------------------------

    def _switch(self, by: int) -> None:
        """The next run of the list, as it is filtered and sorted."""
        ids = [row.id for row in self.context.list.shown]
        if self.run in ids:
            place = min(max(ids.index(self.run) + by, 0), len(ids) - 1)
            self.open(ids[place])
            self.context.list.go_to(self.run)

    def do_down(self) -> None:
        self._switch(1)

    def do_up(self) -> None:
        self._switch(-1)

    def do_page_down(self) -> None:
        self._switch(10)

    def do_page_up(self) -> None:
        self._switch(-10)

    def do_first(self) -> None:
        self._switch(-len(self.context.list.entries))

    def do_last(self) -> None:
        self._switch(len(self.context.list.entries))

    def _tab(self, by: int) -> None:
        names = layout.panes(self.charts(), bool(self.data.gates.layers), bool(self.data.gradients.norms))
        place = names.index(self.focus) if self.focus in names else 0
        self.focus = names[(place + by) % len(names)]

    def do_pane(self) -> None:
        self._tab(1)

    def do_pane_back(self) -> None:
        self._tab(-1)

    def do_zoom(self) -> None:
        self.zoomed = not self.zoomed

    def do_open(self) -> None:
        if self.focus == layout.LOG:
            self.context.act("show_log")
        else:
            self.do_zoom()

    def do_back(self) -> None:
        """The cursor goes first, then the part of the x axis, then the zoom, then the screen."""
        if self.context.view.cursor is not None:
            self.context.view.cursor = None
        elif self.context.view.part:
            self.context.view.whole()
        elif self.zoomed:
            self.zoomed = False
        else:
            self.context.stack.pop()

    def why_not_metric(self) -> str:
        if not self.data.series:
            return "this run has reported no metric"
        return "" if not self.focus or self.focus in self.charts() else "tab to a chart first"

    def do_metric(self) -> None:
        """Put a metric where the focused chart is."""
        row = self.row
        if row is None:
            return
        charts = self.charts()
        place = charts.index(self.focus) if self.focus else 0

        def take(name: str) -> None:
            rest = [metric for metric in charts if metric != name]
            self._charts.chosen[row.stage] = [*rest[:place], name, *rest[place:]]
            self.focus = name

        choices = [MenuItem(name, self._said(name), name) for name in self._charts.known(self.data)]
        self.context.choose("metric of this chart", choices, take)

    def why_not_beside(self) -> str:
        return self.why_not_metric() or (
            "" if len(self._charts.known(self.data)) > 1 else "this run reports one metric only"
        )

    def do_beside(self) -> None:
        """Lay another metric over the focused chart; one that is there already goes."""
        row = self.row
        if row is None:
            return
        chart = self.focus or self.charts()[0]
        there = self._charts.beside.setdefault((row.stage, chart), [])

        def take(name: str) -> None:
            if name in there:
                there.remove(name)
            else:
                there.append(name)

        names = [name for name in self._charts.known(self.data) if name != chart]
        choices = [MenuItem(("[✓] " if name in there else "[ ] ") + name, self._said(name), name) for name in names]
        self.context.choose(f"beside {chart}", choices, take)

    def _said(self, name: str) -> str:
        about = self.data.schema.get(name, {})
        return str(about.get("help", "")) or ("before clipping" if name == TOTAL else "")

    def why_not_layer(self) -> str:
        return "" if self.data.gates.layers else "this run reports no gates"

    why_not_layer_back = why_not_layer

    def do_layer(self) -> None:
        self._charts.layer += 1

    def do_layer_back(self) -> None:
        self._charts.layer -= 1

    def do_sidebar(self) -> None:
        self.side = not self.side
        if self.focus == layout.SIDE:
            self.focus = ""

    def do_follow(self) -> None:
        self.focus = layout.LOG

    def do_mark(self) -> None:
        self.context.list.mark(self.run)
        self.context.say(
            "marked: its curves are laid over other runs" if self.run in self.context.list.marks else "not marked"
        )

    def do_filter(self) -> None:
        self.context.show("runs")
        self.context.act("filter")

    def click(self, x: int, y: int) -> None:
        for place in self._places:
            if place.x <= x < place.x + place.across and place.y <= y < place.y + place.down:
                self.focus = place.name
