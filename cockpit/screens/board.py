"""The board of an experiment: its runs by the settings that differ, what matters most, parallel coordinates."""

from pathlib import Path
from typing import Any

from cockpit.actions import navigate
from cockpit.actions.about import NO_RUN
from cockpit.actions.export import prompt_file
from cockpit.context import Context
from cockpit.keys import BOARD
from cockpit.models import board as model
from cockpit.models.board import BoardLine
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.panes import board as texts
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside, box
from cockpit.screens.paned import PanedScreen
from cockpit.services.answers import EngineAnswer
from engine.report import numbers
from engine.wire import Board

TABLE, IMPORTANCE, PARALLEL = "settings", "importance", "parallel coordinates"
SMALL = 100  # columns below which there is one pane, and below it importance where the table leaves room
LOWEST = 6  # lines of that room


class BoardScreen(PanedScreen):
    """``label`` is the experiment. Keys move the cursor of the table; actions apply to the run under it."""

    name = BOARD
    names = (TABLE, IMPORTANCE, PARALLEL)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.label = self.stage = ""
        self.metric = ""  # that chooses the best; empty: the engine's choice
        self.single = False  # a line per run instead of one per setting
        self.by, self.reverse = "", False
        self.scroll = self.cursor = Cursor()
        self.answers = EngineAnswer(Board, context.root, context.ask, context.effects.spawn)
        self._head: list[tuple[str, int]] = []
        self._ordered: tuple[object, list[BoardLine]] = (None, [])
        self._drawn: tuple[object, Lines] = (None, [])  # parallel coordinates, which take some milliseconds
        self._seen: object = None

    def open(self, *subject: Any, **options: Any) -> None:
        label, stage = subject
        if (label, stage) != (self.label, self.stage):
            self.label, self.stage = label, stage
            self.metric = self.by = ""
            self.reverse, self.cursor.line = False, 0

    @property
    def words(self) -> list[str]:
        """The command whose answer is shown."""
        more = ["--metric", self.metric] if self.metric else []
        return ["results", self.label, "--board", *(["--stage", self.stage] if self.stage else []), *more]

    @property
    def board(self) -> Board | None:
        return self.answers.known_for(self.words)

    @property
    def lines(self) -> list[BoardLine]:
        """The lines in their order."""
        board = self.board
        key = (self.answers.version, tuple(self.words), self.single, self.by, self.reverse)
        if self._ordered[0] != key:
            found = model.lines(board, self.single) if board is not None else []
            self._ordered = (key, model.ordered(board, found, self.by or board.main, self.reverse) if board else [])
        return self._ordered[1]

    @property
    def line(self) -> BoardLine | None:
        found = self.lines
        return found[self.cursor.line] if self.cursor.line < len(found) else None

    @property
    def row(self) -> Row | None:
        line = self.line
        return self.context.list.rows.get(line.runs[0]) if line else None

    def title(self) -> Line:
        line: Line = [(f"  {self.label}", "bold")]
        board = self.board
        if board is not None:
            runs = [run for row in board.rows for run in row.runs]
            spent = numbers.duration(sum(run.seconds or 0.0 for run in runs))
            line.append((f"  {board.stage}: {len(board.rows)} settings, {len(runs)} runs, {spent} in all", "dim"))
        return [*line, ("  reading", "run")] if self.answers.busy else line

    def poll(self) -> bool:
        """Request the board when a run of the experiment starts, ends or is gone."""
        if self.label and self.context.watch.scanner.complete:
            rows = self.context.list.rows.values()
            self.answers.want(self.words, [(row.id, row.state) for row in rows if row.experiment == self.label])
        changed, self._seen = self.answers.version != self._seen, self.answers.version
        return changed

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        self._boxes = []
        board = self.board
        if not self.label:
            return box([("board", "title")], [[("no experiment yet: b on a run opens its board", "dim")]], across, 5)
        if board is None:
            busy = self.answers.busy or not self.answers.trouble
            return box([("board", "title")], [[("reading …", "dim")]], across, 5) if busy else self._trouble(across)
        if self.zoomed:
            return self._board_pane(board, self.focus, 0, 0, across, down)
        top = min(len(self.lines) + 3, down - 10)
        if across < SMALL or down < 24:
            high = len(self.lines) + 3
            if self.focus == PARALLEL or down - 1 - high < LOWEST:
                return [self.tabs(), *self._board_pane(board, self.focus, 0, 1, across, down - 1)]
            below = self._board_pane(board, IMPORTANCE, 0, 1 + high, across, down - 1 - high)
            return [self.tabs(), *self._board_pane(board, TABLE, 0, 1, across, high), *below]
        third = across // 3
        left = self._board_pane(board, IMPORTANCE, 0, top, third, down - top)
        right = self._board_pane(board, PARALLEL, third, top, across - third, down - top)
        return [*self._board_pane(board, TABLE, 0, 0, across, top), *beside([left, right])]

    def _trouble(self, across: int) -> Lines:
        return self.trouble(self.answers.trouble, across)

    def _board_pane(self, board: Board, name: str, x: int, y: int, across: int, down: int) -> Lines:
        if name == IMPORTANCE:
            return self.pane(name, x, y, across, down)
        self._boxes.append((name, x, y, across, down))
        found, focused = self.lines, name == self.focus
        if name == PARALLEL:
            metric, symbols = board.main, self.context.view.symbols
            key = (self._ordered[0], self.cursor.line, across, down, symbols)
            if self._drawn[0] != key:
                drawn = texts.parallel(board, found, metric, self.cursor.line, across - 2, down - 2, symbols)
                self._drawn = (key, drawn)
            body = self._drawn[1]
            about = "  the best and that of the cursor coloured"
            return box([(name, "title"), (about, "dim")], body, across, down, focused)
        self._head = texts.headers(board, found, across - 2)
        top = self.cursor.fit(len(found), down - 3)
        by = (self.by or board.main, self.reverse)
        marks = self.context.list.marks
        shown, here = found[top : top + down - 3], self.cursor.line - top
        lines = texts.table(board, shown, self._head, by, here, marks, across - 2)
        title: Line = [("runs" if self.single else name, "title"), (f"  ★ best mean of {board.main}", "dim")]
        hidden = len(model.columns(board)) - len(self._head)
        if hidden:
            title.append((f"  {hidden} more {'column' if hidden == 1 else 'columns'}", "warn"))
        return box(title, lines, across, down, focused)

    def body(self, name: str, across: int) -> Lines:
        board = self.board
        return texts.importance(board, across) if board is not None else []

    # -- keys ----------------------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        return self.cursor.page

    def move(self, by: int) -> None:
        self.cursor.step(by, len(self.lines))

    def why_not_sort(self) -> str:
        return "" if self.board is not None else "the board is not read yet"

    why_not_metric = why_not_group = why_not_export = why_not_zoom = why_not_sort

    def sort(self, column: str) -> None:
        """Sort by a column; by the same one again: the other way round."""
        board = self.board
        self.reverse = not self.reverse if board and column == (self.by or board.main) else False
        self.by, self.cursor.line = column, 0

    def do_sort(self) -> None:
        board = self.board
        if board is not None:
            items = [MenuItem(name, "again: the other way round", name) for name in model.columns(board)]
            self.context.open_menu("sort by", items, self.sort)

    def do_metric(self) -> None:
        """The metric by which the best is chosen, and what the importance is for."""
        board = self.board
        if board is not None:
            items = [MenuItem(metric.name, metric.goal, metric.name) for metric in board.metrics]
            self.context.open_menu("metric that chooses the best", items, self._choose)

    def _choose(self, metric: str) -> None:
        self.metric, self.by, self.reverse = metric, "", False

    def do_group(self) -> None:
        """A line per setting with mean and spread over its seeds, or a line per run."""
        self.single = not self.single
        self.cursor.line = 0
        self.context.notify("a line per run" if self.single else "mean and standard deviation over seeds")

    def do_open(self) -> None:
        navigate.do_open(self.context)

    def why_not_mark(self) -> str:
        return "" if self.line else NO_RUN

    why_not_open = why_not_mark

    def do_mark(self) -> None:
        """Mark the runs of the line, or remove their marks, and go on."""
        line, runs = self.line, self.context.list
        if line is not None:
            marked = all(run in runs.marks for run in line.runs)
            for run in line.runs:
                if (run in runs.marks) == marked and run in runs.rows:
                    runs.mark(run)
            self.move(1)

    def do_copy(self) -> None:
        self.context.copy(self.context.shown(self.words))

    def do_export(self) -> None:
        """Have ``engine results --board --csv`` write a line per run."""
        words = self.words
        prompt_file(self.context, "board.csv", lambda file: self.context.effects.spawn(self._write(words, file)))

    async def _write(self, words: list[str], file: Path) -> None:
        result = await self.context.ask([*words, "--csv", str(file)], self.context.root)
        message = result.message if result.status else f"board written to {file}"
        self.context.notify(message, "bad" if result.status else "")

    def click(self, x: int, y: int) -> None:
        super().click(x, y)
        for name, left, top, across, down in self._boxes:
            if name == TABLE and left <= x < left + across and top <= y < top + down:
                self._click_table(x - left - 1, y - top - 1)

    def _click_table(self, x: int, y: int) -> None:
        """A click on a column's name sorts by it, one on a line moves the cursor."""
        if y > 0:
            self.cursor.line = self.cursor.top + y - 1
            self.cursor.step(0, len(self.lines))
            return
        start = 4
        for name, size in self._head:
            if start <= x < start + size + 2:
                self.sort(name)
            start += size + 2
