"""Screen 1: every run, filtered and sorted, with a preview of the one under the cursor."""

from cockpit.actions import navigate
from cockpit.actions.about import needs_run
from cockpit.context import Context, Screen
from cockpit.keys import LAUNCH, RUNS
from cockpit.models.chart import Chart, Trace
from cockpit.models.rows import Row
from cockpit.models.run_list import GROUPINGS, GroupHeading
from cockpit.panes import run_table
from cockpit.panes.chart import render as chart
from cockpit.panes.side import kept_and_best
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, box
from engine.report import numbers
from engine.report.tables import column, right
from engine.runs.events import number

PREVIEWED = 6  # runs in the preview: the one under the cursor and marked ones


class RunsScreen(Screen):
    """The table of runs and the preview below it."""

    name = RUNS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.preview = True
        self.metric = ""  # of the preview; empty: the main metric of the stage
        self._charts: dict[tuple[str, str], Chart] = {}

    @property
    def row(self) -> Row | None:
        return self.context.list.current

    def title(self) -> Line:
        runs = self.context.list
        line: Line = [(f"  {len(runs.shown):,}/{len(runs.rows):,}", "dim")]
        if not self.context.watch.scanner.complete:
            line.append((" reading", "dim"))
        if runs.text:
            line.append((f"  / {runs.text}", "key"))
        if runs.marks:
            line.append((f"  {len(runs.marks)} marked", "mark"))
        return line

    def watched(self) -> list[str]:
        runs = self.context.list
        return [*([self.row.id] if self.row else []), *runs.marks[: PREVIEWED - 1]] if self.preview else []

    def draw(self, across: int, down: int) -> Lines:
        runs = self.context.list
        if not runs.rows and self.context.watch.scanner.complete:
            return self._welcome(across, down)
        preview = min(max(9, down * 2 // 5), 18) if self.preview and down >= 16 else 0
        trouble = self._trouble()
        height = down - preview - len(trouble)
        top = self.scroll.show(runs.cursor, len(runs.entries), height - 1)
        lines = run_table.render(runs, top, self.context.clock(), across, height)
        if not runs.entries and runs.rows:
            lines[2] = [(f"   no run matches / {runs.text}   esc removes the filter", "dim")]
        return [*lines, *trouble, *(self._preview(across, preview) if preview else [])]

    def _trouble(self) -> Lines:
        if self.context.watch.scanner.trouble:
            return [[(" ✗ " + self.context.watch.scanner.trouble, "bad")]]
        error = self.context.list.error or self.context.list.unknown
        if error is None:
            return []
        arrow = " " * (error.position + 3) + "^ "
        return [[(" / " + self.context.list.text, "")], [(arrow, "bad"), (str(error), "bad")]]

    def _preview(self, across: int, down: int) -> Lines:
        row = self.row
        if row is None:
            entry = self.context.list.entries[self.context.list.cursor] if self.context.list.entries else None
            text = f"{len(entry.rows)} runs of {entry.title}" if isinstance(entry, GroupHeading) else "no run here"
            return box([("preview", "title")], [[(text, "dim")]], across, down)
        if row.has_result and row.state == "DONE":
            return box([(f"preview: {row.stage} {row.name[-11:]}", "title")], _figures(row), across, down)
        metric = self.metric or row.metric or next(iter(row.last), "")
        drawn = self._charts.setdefault((row.id, metric), Chart(""))
        if len(self._charts) > 64:
            self._charts.clear()
        drawn.title = f"preview: {row.stage} {row.name[-11:]}  {metric}"
        drawn.traces = []
        others = [run for run in self.context.list.marks if run != row.id][: PREVIEWED - 1]
        for colour, run in enumerate([row.id, *others]):
            data = self.context.watch.follow(run).data
            series = data.series.get(metric)
            if series is not None:
                drawn.traces.append(Trace(self.context.list.rows[run].name[-4:], series, colour))
            if run == row.id:
                drawn.total, drawn.growing = data.total if row.open else 0.0, row.open
        if not drawn.traces:
            title = f"preview: {row.stage} {row.name[-11:]}"
            return box([(title, "title")], self._facts(row), across, down)
        drawn.note = [(kept_and_best(row, metric), "dim")] if len(drawn.traces) == 1 else []
        return chart(drawn, self.context.view, across, down)

    def _facts(self, row: Row) -> Lines:
        """Facts about a run that has no curve."""
        lines: Lines = [[(f"{row.state.lower()}  ", "bold"), (part, "")] for part in row.reason.splitlines()[:3]]
        lines += [[("from  ", "dim"), (f"{stage} {run}", "")] for stage, run in row.inputs.items()]
        lines += [[(f"{name}  ", "dim"), (f"{value}", "")] for name, value in list(row.facts.items())[:8]]
        return lines or [[("nothing reported yet", "dim")]]

    def _welcome(self, across: int, down: int) -> Lines:
        """Shown while there are no runs."""
        root = self.context.root
        lines: Lines = [
            [],
            [(f"  No runs in {self.context.root} yet.", "bold")],
            [("" if root.is_dir() else "  There is no such folder: the first run makes it.", "warn")],
            [
                ("  enter  ", "key"),
                ("start the demo: small synthetic data, no download, a few minutes", ""),
            ],
            [("  a      ", "key"), ("the form: choose stages, data and settings", "")],
            [("  ?      ", "key"), ("all keys", "")],
            [],
            [
                (
                    "  The demo trains a student and a teacher, distils, and compares the models.",
                    "dim",
                )
            ],
            [("  Runs are processes of their own: closing the cockpit never stops one.", "dim")],
        ]
        return box([("welcome", "title")], lines, across, min(down, 12)) + [[]] * max(0, down - 12)

    # -- keys ----------------------------------------------------------------------------------------------------

    def focused_picture(self, across: int, down: int) -> Lines:
        return self._preview(across, down) if self.row is not None else []

    def move(self, by: int) -> None:
        self.context.list.move(by)

    def why_not_open(self) -> str:
        return "this is the heading of a group: move to a run" if self.context.list.entries and self.row is None else ""

    def do_open(self) -> None:
        if self.context.list.rows:
            navigate.do_open(self.context)
        else:
            self.context.show(LAUNCH, preset="demo")

    def why_not_mark(self) -> str:
        return needs_run(self.context)

    def do_mark(self) -> None:
        if self.row is not None:
            self.context.list.mark(self.row.id)
            self.context.list.move(1)

    def why_not_range(self) -> str:
        return "" if self.context.list.marks else "mark one end with space first"

    def do_range(self) -> None:
        self.context.notify(f"{self.context.list.mark_range()} more marked")

    def why_not_metric(self) -> str:
        return "" if self.row and self.row.last else "this run has reported no metric"

    def do_metric(self) -> None:
        if self.row is None:
            return
        names = list(
            dict.fromkeys([*self.row.best, *self.row.last, *self.context.watch.follow(self.row.id).data.series])
        )
        choices = [MenuItem(name, numbers.figure(self.row.value(name)), name) for name in names]
        self.context.open_menu("metric of the preview", choices, lambda name: setattr(self, "metric", name))

    def do_group(self) -> None:
        runs = self.context.list
        choices = GROUPINGS if runs.folders else GROUPINGS[:-1]
        runs.grouping = choices[(choices.index(runs.grouping) + 1) % len(choices)]
        runs.arrange(self.context.clock())
        self.context.notify(f"grouped by {runs.grouping}" if runs.grouping else "not grouped")

    def do_archived(self) -> None:
        self.context.list.archived = not self.context.list.archived
        self.context.list.arrange(self.context.clock())
        self.context.notify("archived runs are shown" if self.context.list.archived else "archived runs are hidden")

    def do_sidebar(self) -> None:
        self.preview = not self.preview

    def click(self, x: int, y: int) -> None:
        if 1 <= y <= len(self.context.list.entries) - self.scroll.top:
            self.context.list.move(self.scroll.top + y - 1 - self.context.list.cursor)


def _figures(row: Row) -> Lines:
    """The metrics of an evaluation's models, as it noted them; the one that the list shows in bold."""
    figures = row.facts.get("figures")
    known = {str(name): own for name, own in figures.items() if isinstance(own, dict)} if figures else {}
    metrics = list(dict.fromkeys(metric for own in known.values() for metric in own))
    lines: Lines = [[(column("model", 20), "dim"), *((right(metric, 10), "dim") for metric in metrics)]]
    for name, own in known.items():
        cells = [right(numbers.figure(number(own.get(metric))), 10) for metric in metrics]
        lines.append([(column(name, 20), ""), ("".join(cells), "bold" if name == row.model else "")])
    return [*lines, [], [("enter ", "key"), ("the whole result   ", "dim"), ("3 ", "key"), ("its models", "dim")]]
