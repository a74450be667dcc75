"""Screen 2 of an evaluation: its result; while it runs, its progress. The curves are one key away."""

from pathlib import Path
from typing import Any

from cockpit.actions.export import prompt_file
from cockpit.context import Context
from cockpit.keys import COMPARE, RESULT, Key, caption
from cockpit.models.result import METRICS, EvaluationResult
from cockpit.models.rows import Row
from cockpit.panes import health, side
from cockpit.panes import result as texts
from cockpit.panes.run_table import appearance
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside, box
from cockpit.screens.paned import PanedScreen
from cockpit.services.answers import EngineAnswer
from cockpit.services.results import ResultReader
from engine.report import numbers
from engine.runs.lineage import lineage
from engine.wire import ShownRun

MODELS, SLICES, VERDICT, PROTOCOLS, MADE_FROM = "models", "slices", "verdict", "protocols", "made from"
SMALL, LARGE = 100, 160  # columns below which there is one pane, from which there are all
TABLE = 78  # cells of the table of slices
HIGH = 44  # lines from which there are all


class ResultScreen(PanedScreen):
    """``run`` is the id of the evaluation that is shown."""

    name = RESULT
    names = (MODELS, SLICES, VERDICT, PROTOCOLS, MADE_FROM)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.run = ""
        self.metric = METRICS[0]
        self.reader = ResultReader(context.folders)
        self.settings: EngineAnswer[list[ShownRun]] = EngineAnswer(
            list[ShownRun], context.root, context.ask, context.effects.spawn
        )
        self._seen: object = None

    def open(self, *subject: Any, **options: Any) -> None:
        if subject[0] != self.run:
            self.run = subject[0]
            for scroll in self._scrolls.values():
                scroll.top = 0

    @property
    def row(self) -> Row | None:
        rows = self.context.list.rows
        if self.run not in rows:
            made = [row for row in rows.values() if row.has_result]
            self.run = max(made, key=lambda row: (row.state == "DONE", row.created, row.id)).id if made else ""
        return rows.get(self.run)

    @property
    def result(self) -> EvaluationResult | str:
        """The result of the run, or why there is none."""
        row = self.row
        if row is None or row.state != "DONE":
            return "not finished"
        return self.reader.read(row.id)

    def title(self) -> Line:
        row = self.row
        if row is None:
            return []
        mark, _, style = appearance(row)
        line: Line = [(f"  {row.stage} {row.name}  ", "bold"), (f"{mark} {row.state}", style)]
        line.append((f"  {row.experiment}  seed {row.seed}", "dim"))
        if row.open and row.eta is not None:
            line.append((f"  eta {numbers.duration(row.eta)}", ""))
        return line

    def watched(self) -> list[str]:
        return [self.row.id] if self.row and self.row.state != "DONE" else []

    @property
    def makers(self) -> list[str]:
        """The run and everything that it was made from, nearest first."""
        rows = self.context.list.rows
        found, gone = lineage(self.run, lambda run: rows[run].inputs.values() if run in rows else None)
        return [*found, *gone]

    @property
    def words(self) -> list[str]:
        """The command whose answer has the settings of those runs."""
        return ["show", *(run for run in self.makers if run in self.context.list.rows)]

    def poll(self) -> bool:
        """Request the settings of the lineage once the result is there; returns whether anything changed."""
        row = self.row
        if row is not None and row.state != "DONE":
            self.reader.forget(row.id)
        elif row is not None and self.context.watch.scanner.complete:
            self.settings.want(self.words, None)
        seen = (self.settings.version, row)
        changed, self._seen = seen != self._seen, seen
        return changed

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        row = self.row
        if row is None:
            return [[], [("  no evaluation yet: a launches one", "dim")]]
        self._boxes = []
        if row.state != "DONE":
            return self._progress(row, across, down)
        if isinstance(self.result, str):
            return self.trouble(self.result, across)
        if self.zoomed:
            return self.pane(self.focus, 0, 0, across, down)
        top = self.height(MODELS, across)
        if across < SMALL or down < top + 8:
            return [self.tabs(), *self.pane(self.focus, 0, 1, across, down - 1)]
        if across < LARGE or down < HIGH:
            right = self.focus if self.focus in (PROTOCOLS, MADE_FROM) else VERDICT
            return [*self.pane(MODELS, 0, 0, across, top), *self._two(SLICES, right, top, across, down - top)]
        middle = min(self.height(SLICES, across // 2), down - top - 10)
        below = down - top - middle
        return [
            *self.pane(MODELS, 0, 0, across, top),
            *self._two(SLICES, VERDICT, top, across, middle),
            *self._two(PROTOCOLS, MADE_FROM, top + middle, across, below),
        ]

    def _two(self, left: str, right: str, y: int, across: int, down: int) -> Lines:
        half = across // 2 if across >= LARGE else min(TABLE, across - 42)  # a table beside sentences
        return beside([self.pane(left, 0, y, half, down), self.pane(right, half, y, across - half, down)])

    def _progress(self, row: Row, across: int, down: int) -> Lines:
        lines = side.progress_lines(row, across - 2)
        lines += [[], *health.lines(row, self.context.watch.follow(row.id).data), []]
        keys: Line = [("2 ", "key"), ("curves   ", ""), ("L ", "key"), ("console   ", ""), ("x ", "key"), ("stop", "")]
        text = "the result appears here when it is done" if row.open else "it has no result"
        return box([("progress", "title")], [*lines, [(text, "dim")], [], keys], across, min(down, len(lines) + 6))

    def about(self, name: str) -> Line:
        row = self.row
        if name == MODELS and row is not None:
            return [("  95 % intervals, ┊ floor and ceiling", "dim")]
        return [(f"  {self.metric}", "dim")] if name == SLICES else []

    def body(self, name: str, across: int) -> Lines:
        row, result = self.row, self.result
        if isinstance(result, str) or row is None:
            return []
        match name:
            case "models":
                return texts.models(result, self.metric, across)
            case "slices":
                return texts.slices(result, self.metric, across)
            case "verdict":
                return texts.verdict(result, across)
            case "protocols":
                return texts.protocols(result, across)
        known = {one.run: one.changed for one in self.settings.known_for(self.words) or []}
        if self.settings.trouble and not self.settings.busy:
            return [[("✗ ", "bad"), (line, "bad")] for line in self.settings.trouble.splitlines()]
        return texts.made_from(row, self.makers, self.context.list.rows, known, across)

    # -- keys ----------------------------------------------------------------------------------------------------

    def key_label(self, key: Key) -> str:
        other = key.action == "show_compare" and not self.context.compares_models
        return caption(COMPARE) if other else key.label

    def why_not_zoom(self) -> str:
        return "" if self.row and self.row.state == "DONE" else "there is no result yet"

    why_not_open = why_not_metric = why_not_export = why_not_zoom

    def do_metric(self) -> None:
        """The metric of the intervals and of the slices."""
        items = [MenuItem(name, "", name) for name in METRICS]
        self.context.open_menu("metric of intervals and slices", items, lambda name: setattr(self, "metric", name))

    def do_copy(self) -> None:
        self.context.copy(self.context.shown(["show", self.run]))

    def do_export(self) -> None:
        """Have ``engine results --all --csv`` write every protocol of this evaluation."""
        words = ["results", self.run, "--all"]
        prompt_file(self.context, "result.csv", lambda file: self.context.effects.spawn(self._write(words, file)))

    async def _write(self, words: list[str], file: Path) -> None:
        result = await self.context.ask([*words, "--csv", str(file)], self.context.root)
        message = result.message if result.status else f"result written to {file}"
        self.context.notify(message, "bad" if result.status else "")
