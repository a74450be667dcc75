"""Screen 2: one run while it trains, with the curves of marked runs for comparison."""

from collections.abc import Sequence
from dataclasses import replace

from cockpit.actions import navigate
from cockpit.context import Context, Screen
from cockpit.keys import LIVE
from cockpit.models.rows import Row
from cockpit.models.run_data import RunData
from cockpit.panes import health, side
from cockpit.panes.chart import legend_lines
from cockpit.panes.chart import render as chart
from cockpit.panes.run_table import appearance
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines
from cockpit.screens import live_layout as layout
from cockpit.screens import live_panes
from cockpit.screens.live_charts import Charts
from cockpit.screens.live_grid import PANES, Grid
from cockpit.screens.live_layout import Pane, arrange
from cockpit.screens.live_panes import BANDS, HEAT, LATEST

OVERLAID = 5  # marked runs beside the one that is shown


class LiveScreen(Screen):
    """Curves, gradients, gates, health, console and machine. ``run`` is the id of the run that is shown."""

    name = LIVE

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.run = ""
        self.side = True
        self.charts = Charts(context)
        self.grid = Grid(context)
        self.shape = LATEST  # of gates and gradients
        self.shown: list[Pane] = []
        self._drawn: dict[str, tuple[object, Lines]] = {}  # pane -> what its lines depend on, the lines

    @property
    def row(self) -> Row | None:
        rows = self.context.list.rows
        if self.run not in rows:
            living = [row for row in rows.values() if row.live] or list(rows.values())
            self.run = max(living, key=lambda row: (row.created, row.id)).id if living else ""
        return rows.get(self.run)

    def open(self, run: str) -> None:
        """Show a run."""
        self.run, self.charts.layer, self.context.view.cursor = run, 0, None
        self.context.view.whole()

    def title(self) -> Line:
        row = self.row
        if row is None:
            return []
        mark, _, style = appearance(row)
        line: Line = [(f"  {row.stage} {row.name}  ", "bold"), (f"{mark} {row.state_text}", style)]
        if self.context.watch.follow(row.id).loading:
            line.append(("  reading", "dim"))
        return line + self.grid.title()

    def watched(self) -> list[str]:
        return [self.row.id, *self._others()] if self.row else []

    def consoles(self) -> list[str]:
        return [self.row.id] if self.row else []

    def _others(self) -> list[str]:
        return [run for run in self.context.list.marks if run != self.run][:OVERLAID]

    @property
    def data(self) -> RunData:
        return self.context.watch.follow(self.run).data

    def metrics(self) -> list[str]:
        """Metrics that have a chart, in order."""
        return self.charts.names(self.row, self.data) if self.row else []

    def panes(self) -> Sequence[str]:
        data = self.data
        if self.grid.mode:
            return self.grid.names(self.metrics())
        return layout.panes(self.metrics(), bool(data.gates.layers), bool(data.gradients.norms), self._empty(data))

    def _empty(self, data: RunData) -> frozenset[str]:
        """Panes with nothing to show, which give their room to others."""
        row = self.row
        if row is None:
            return frozenset()
        blank = {layout.LOG: self.context.watch.console(row.id).blank, layout.HEALTH: not health.lines(row, data)}
        return frozenset(name for name, nothing in blank.items() if nothing)

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        row = self.row
        if row is None:
            return [[], [("  no runs yet: a launches one", "dim")]]
        data, charts = self.data, self.metrics()
        have_gates, have_grads = bool(data.gates.layers), bool(data.gradients.norms)
        above: Lines = [] if across >= layout.WIDE and self.side else [side.progress_line(row, across)]
        down -= len(above)
        empty = self._empty(data)
        in_grid = self.grid.names(charts) if self.grid.mode else []
        names = in_grid or layout.panes(charts, have_gates, have_grads, empty)
        if self.focus not in names:
            self.focus = ""
        focus = self.focus or names[0]
        if self.zoomed:
            shown = [Pane(focus, 0, 0, across, down)]
        elif in_grid:
            self.grid.page = layout.grid(across, down, in_grid, focus)
            shown = self.grid.page.panes
        else:
            have = {
                "gates": have_gates,
                "grads": have_grads,
                "devices": bool(self.context.watch.follow(row.id).devices.count),
            }
            shown = arrange(across, down, charts, side=self.side, focus=focus, empty=empty, **have)
        self.shown = [replace(pane, y=pane.y + len(above)) for pane in shown]
        rows: Lines = [[] for _ in range(down)]
        for pane in sorted(shown, key=lambda pane: pane.x):
            for offset, line in enumerate(self._pane(pane, row, data, pane.name == focus)):
                rows[pane.y + offset].extend(line)
        return [*above, *rows]

    def _pane(self, pane: Pane, row: Row, data: RunData, focused: bool) -> Lines:
        """A pane's lines; drawn again only when something that it shows has changed."""
        key = live_panes.key(self, pane, row, data, focused)
        kept = self._drawn.get(pane.name)
        if kept is not None and key is not None and kept[0] == key:
            return kept[1]
        lines = live_panes.draw(self, pane, row, data, focused)
        self._drawn[pane.name] = (key, lines)
        return lines

    def focused_picture(self, across: int, down: int) -> Lines:
        row = self.row
        if row is None:
            return []
        focus = self.focus or next(iter(self.panes()))
        if focus in self.metrics():
            drawn = self.charts.chart(focus, row, self.watched())
            return [*chart(drawn, self.context.view, across, down), *legend_lines(drawn)]
        return live_panes.draw(self, Pane(focus, 0, 0, across, down), row, self.data, False)

    # -- keys ----------------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        """Show another run of the list, as it is filtered and sorted."""
        ids = [row.id for row in self.context.list.shown]
        if self.run in ids:
            self.open(ids[min(max(ids.index(self.run) + by, 0), len(ids) - 1)])
            self.context.list.go_to(self.run)

    def do_open(self) -> None:
        if self.focus == layout.LOG:
            navigate.do_show_log(self.context)
        else:
            self.zoomed = not self.zoomed

    def why_not_metric(self) -> str:
        if not self.data.series:
            return "this run has reported no metric"
        return "" if not self.focus or self.focus in self.metrics() else "tab to a chart first"

    def do_metric(self) -> None:
        """Show a metric in the focused chart."""
        row = self.row
        if row is None:
            return
        charts = self.metrics()
        index = charts.index(self.focus) if self.focus in charts else 0

        def take(name: str) -> None:
            rest = [metric for metric in charts if metric != name]
            self.charts.chosen[row.stage] = [*rest[:index], name, *rest[index:]]
            self.focus = name

        items = [
            MenuItem(name, self.charts.description(name, self.data), name) for name in self.charts.known(self.data)
        ]
        self.context.open_menu("metric of this chart", items, take)

    def why_not_beside(self) -> str:
        return self.why_not_metric() or (
            "" if len(self.charts.known(self.data)) > 1 else "this run reports one metric only"
        )

    def do_beside(self) -> None:
        """Overlay another metric on the focused chart, or remove it."""
        row = self.row
        if row is None:
            return
        under = self.focus if self.focus in self.metrics() else self.metrics()[0]
        overlaid = self.charts.beside.setdefault((row.stage, under), [])

        def take(name: str) -> None:
            if name in overlaid:
                overlaid.remove(name)
            else:
                overlaid.append(name)

        names = [name for name in self.charts.known(self.data) if name != under]
        items = [
            MenuItem(("[✓] " if name in overlaid else "[ ] ") + name, self.charts.description(name, self.data), name)
            for name in names
        ]
        self.context.open_menu(f"overlay on {under}", items, take)

    def _page(self, by: int) -> None:
        """The grid's page after or before this one; without a grid, a run further on in the list."""
        if not self.grid.mode:
            self.move(by * self.page)
        elif names := self.panes():
            self.focus = self.grid.first_of_page(names, by)

    def do_back(self) -> None:
        if self.grid.mode and not (self.zoomed or self.context.view.part or self.context.view.cursor is not None):
            self.grid.mode = PANES
        else:
            navigate.do_back(self.context)

    def do_page_down(self) -> None:
        self._page(1)

    def do_page_up(self) -> None:
        self._page(-1)

    def why_not_grid(self) -> str:
        return "" if self.data.series else "this run has reported no metric"

    def do_grid(self) -> None:
        """Every metric as a small chart, the chosen ones, or the panes again."""
        self.grid.next_mode(self.metrics())
        self.zoomed = False

    why_not_keep = why_not_metric

    def do_keep(self) -> None:
        self.grid.keep(self.focus if self.focus in self.metrics() else self.metrics()[0])

    def why_not_shape(self) -> str:
        return (
            ""
            if self.data.gates.layers or self.data.gradients.norms
            else "this run reports neither gates nor gradients"
        )

    def do_shape(self) -> None:
        """The latest gates and gradients, a heat map over time, or bands."""
        self.shape = {LATEST: HEAT, HEAT: BANDS, BANDS: LATEST}[self.shape]
        self.context.notify(f"gates and gradients: {self.shape or 'latest report'}")

    def why_not_layer(self) -> str:
        return "" if self.data.gates.layers else "this run reports no gates"

    why_not_layer_back = why_not_layer

    def do_layer(self) -> None:
        self.charts.layer += 1

    def do_layer_back(self) -> None:
        self.charts.layer -= 1

    def do_sidebar(self) -> None:
        self.side = not self.side
        self.context.notify(f"run list {'shown' if self.side else 'hidden'} (from {layout.WIDE} columns on)")
        if self.focus == layout.SIDE:
            self.focus = ""

    def do_follow(self) -> None:
        self.focus = layout.LOG

    def do_mark(self) -> None:
        self.context.list.mark(self.run)
        self.context.notify(
            "marked: its curves are drawn beside other runs" if self.run in self.context.list.marks else "not marked"
        )

    def click(self, x: int, y: int) -> None:
        for pane in self.shown:
            if pane.x <= x < pane.x + pane.across and pane.y <= y < pane.y + pane.down:
                self.focus = pane.name
