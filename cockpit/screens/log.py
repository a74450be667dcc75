"""The consoles of runs on the whole screen: one with search, errors only and follow, or the ends of several."""

from collections.abc import Sequence

from cockpit.actions import navigate
from cockpit.context import Context, Screen
from cockpit.keys import LOG
from cockpit.models.console_lines import beside, faults, last_fault, split_line, tracebacks
from cockpit.models.log_view import LogView
from cockpit.models.rows import Row
from cockpit.panes.log import styled, tail
from cockpit.panes.run_table import appearance
from cockpit.render.lines import Line, Lines, block
from engine.report import numbers

MOST = 6  # consoles in one view
SIDEWAYS = 16  # characters that a key scrolls to the side


class LogScreen(Screen):
    """Shows the run that it was opened on; of several runs the ends, until one of them is chosen."""

    name = LOG

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.runs: list[str] = []
        self.chosen = 0
        self.several = False
        self.wrapped = False
        self._across, self._down = 80, 24  # cells of the last drawing
        self._views: dict[str, LogView] = {}
        self._cached: tuple[object, list[str]] = (None, [])
        self._parts: tuple[object, list[tuple[int, str]]] = (None, [])

    def open(self, runs: Sequence[str], to_error: bool = False) -> None:
        """Show one run, or the ends of several; with ``to_error`` the place of the last error."""
        self.runs, self.chosen = list(runs)[:MOST], 0
        self.several = len(self.runs) > 1
        if to_error and self.runs:
            view = self._views.setdefault(self.runs[0], LogView())
            view.to_error, view.errors, view.following = True, False, False

    @property
    def row(self) -> Row | None:
        if not self.runs:  # opened by its name: the run of the screen below
            below = [name for name in self.context.stack if name != LOG]
            row = self.context.screens[below[-1]].row if below else None
            self.runs = [row.id] if row else []
        return self.context.list.rows.get(self.runs[self.chosen]) if self.chosen < len(self.runs) else None

    @property
    def view(self) -> LogView:
        """Of the run that is shown."""
        return self._views.setdefault(self.runs[self.chosen] if self.runs else "", LogView())

    @property
    def following(self) -> bool:
        return self.view.following

    @property
    def page(self) -> int:
        return self.view.scroll.page

    def consoles(self) -> list[str]:
        return self.runs if self.several else self.runs[self.chosen : self.chosen + 1]

    def panes(self) -> Sequence[str]:
        return self.runs if self.several else ()

    def title(self) -> Line:
        row = self.row
        if row is None:
            return []
        if self.several:
            return [(f"  {len(self.runs)} runs, enter opens one", "dim")]
        console = self.context.watch.console(row.id)
        line: Line = [
            (f"  {row.stage} {row.name}  {row.state_text}", "dim"),
            (f"  {len(self._lines()):,} lines", "dim"),
        ]
        if console.skipped:
            line.append((f"  (first {numbers.size(console.skipped)} not shown: engine logs {row.id})", "warn"))
        view = self.view
        for shown, text, style in (
            (view.errors, "errors only", "warn"),
            (view.search, f"/ {view.search}", "key"),
            (self.wrapped, "wraps", "dim"),
            (view.left, f"from column {view.left + 1}", "dim"),
            (view.following, "follows", "ok"),
        ):
            if shown:
                line.append(("  " + text, style))
        return line

    def poll(self) -> bool:
        """Go to the error that was asked for, as soon as the console was read."""
        row, view = self.row, self.view
        if row is None or not view.to_error or not self.context.watch.console(row.id).complete:
            return False
        view.to_error = False
        found = last_fault(self._lines())
        if found:
            view.match, view.scroll.top = found[-1], max(0, found[0] - 1)
        else:
            view.following = True
            reason = f": {row.reason}" if row.reason else ""
            self.context.notify(f"no error in this console; the run is {row.state}{reason}", "warn")
        return True

    # -- lines ---------------------------------------------------------------------------------------------------

    def _lines(self) -> list[str]:
        """The lines of the console, or those with faults."""
        row = self.row
        if row is None:
            return []
        console, errors = self.context.watch.console(row.id), self.view.errors
        key = (row.id, console.version, console.unfinished, errors)
        if self._cached[0] != key:
            lines = [*console.lines, *([console.unfinished] if console.unfinished else [])]
            self._cached = (key, [lines[index] for index in faults(lines)] if errors else lines)
        return self._cached[1]

    def _rows(self, across: int) -> list[tuple[int, str]]:
        """(index of the line, its part) for every row of the screen."""
        lines = self._lines()
        if not self.wrapped:
            return list(enumerate(lines))
        key = (self._cached[0], across)
        if self._parts[0] != key:
            parts = [(index, part) for index, line in enumerate(lines) for part in split_line(line, across)]
            self._parts = (key, parts)
        return self._parts[1]

    def draw(self, across: int, down: int) -> Lines:
        self._across, self._down = across, down
        if self.several:
            return self._ends(across, down)
        view, rows = self.view, self._rows(across)
        if view.following:
            view.scroll.top = len(rows)
        top = view.scroll.fit(len(rows), down)
        body: Lines = [
            styled(part if self.wrapped else beside(part, view.left, across), view.search, index == view.match)
            for index, part in rows[top : top + down]
        ]
        if not body:
            text = "no line with an error or a warning" if view.errors else "nothing printed yet"
            body = [[("  " + text, "dim")]]
        return block(body, across, down)

    def _ends(self, across: int, down: int) -> Lines:
        """The ends of all consoles below each other, the chosen one marked."""
        out: Lines = []
        self.focus = self.runs[self.chosen]
        for index, run in enumerate(self.runs):
            height = down // len(self.runs) + (index < down % len(self.runs))
            row, console = self.context.list.rows.get(run), self.context.watch.console(run)
            lines = [*console.lines, *([console.unfinished] if console.unfinished else [])]
            if self._views.setdefault(run, LogView()).errors:
                lines = [lines[at] for at in faults(lines)]
            note: Line = [(f"  {row.stage} {row.name}", "bold"), *_state(row)] if row else [(f"  {run}", "warn")]
            out += tail(lines, across, height, note, index == self.chosen)
        return out

    # -- keys ----------------------------------------------------------------------------------------------------

    def do_back(self) -> None:
        """One layer back: search, errors only, the ends of several runs, the screen."""
        view = self.view
        if not self.several and (view.search or view.errors):
            view.search, view.errors, view.match = "", False, -1
        elif not self.several and len(self.runs) > 1:
            self.several = True
        else:
            navigate.do_back(self.context)

    def move(self, by: int) -> None:
        if self.several:
            self.chosen = min(max(self.chosen + by, 0), len(self.runs) - 1)
            return
        view = self.view
        view.scroll.move(by)
        count = len(self._rows(self._across)) if self.wrapped else len(self._lines())
        view.following = by > 0 and view.scroll.top >= count - view.scroll.rows

    def why_not_pane(self) -> str:
        return "" if self.several else "one console is shown: mark several runs on the list, then L"

    why_not_pane_back = why_not_pane

    def do_pane(self) -> None:
        self.chosen = (self.chosen + 1) % len(self.runs)

    def do_pane_back(self) -> None:
        self.chosen = (self.chosen - 1) % len(self.runs)

    def why_not_open(self) -> str:
        return "" if self.several else "one console is shown already"

    def do_open(self) -> None:
        self.several = False

    def do_follow(self) -> None:
        self.view.following = not self.view.following
        self.context.notify("follows the end" if self.view.following else "stays here")

    def do_errors(self) -> None:
        on = not self.view.errors
        for run in self.consoles():
            view = self._views.setdefault(run, LogView())
            view.errors, view.match = on, -1

    def do_wrap(self) -> None:
        self.wrapped = not self.wrapped
        self.view.left = 0
        self.context.notify("long lines wrap" if self.wrapped else "long lines are cut: h and l scroll to the side")

    def why_not_left(self) -> str:
        return "long lines wrap: w cuts them" if self.wrapped else "" if self.view.left else "this is the first column"

    def do_left(self) -> None:
        self.view.left = max(0, self.view.left - SIDEWAYS)

    def why_not_right(self) -> str:
        return "long lines wrap: w cuts them" if self.wrapped else ""

    def do_right(self) -> None:
        longest = max((len(line) for line in self._lines()), default=0)
        if self.view.left + SIDEWAYS < longest:
            self.view.left += SIDEWAYS
        else:
            self.context.notify("no line is longer")

    def why_not_copy(self) -> str:
        return "" if self._lines() else "nothing printed yet"

    def do_copy(self) -> None:
        """Copy the current line with its traceback, or else the lines on the screen."""
        view, lines = self.view, self._lines()
        if 0 <= view.match < len(lines):
            one = range(view.match, view.match + 1)
            span = next((part for part in tracebacks(lines) if view.match in part), one)
            chosen = [lines[index] for index in span]
        else:
            shown = self._rows(self._across)[view.scroll.top : view.scroll.top + view.scroll.rows]
            chosen = [lines[index] for index in dict.fromkeys(index for index, _ in shown)]
        self.context.copy("\n".join(chosen), f"{len(chosen)} lines" if len(chosen) > 1 else "the line")

    def do_filter(self) -> None:
        view = self.view

        def take(text: str) -> None:
            view.search, view.match = text, -1
            if text:
                self.do_previous() if view.following else self.do_next()

        self.several = False
        self.context.open_prompt("search", view.search, take, hint="n next, N previous")

    def why_not_next(self) -> str:
        return "" if self.view.search else "search with / first"

    why_not_previous = why_not_next

    def do_next(self) -> None:
        self._find(1)

    def do_previous(self) -> None:
        self._find(-1)

    def _find(self, direction: int) -> None:
        """Go to the next line with the search text, around the ends."""
        view, lines = self.view, self._lines()
        wanted = view.search.lower()
        start = view.match if view.match >= 0 else (self._top_line() - 1 if direction > 0 else len(lines))
        for offset in range(1, len(lines) + 1):
            index = (start + direction * offset) % len(lines)
            at = lines[index].lower().find(wanted)
            if at >= 0:
                view.match, view.following = index, False
                view.scroll.top = max(0, self._row_of(index) - view.scroll.page)
                if not self.wrapped and not view.left <= at < view.left + self._across - len(wanted):
                    view.left = max(0, at - SIDEWAYS)
                return
        self.context.notify(f"{view.search!r} does not occur", "warn")

    def _top_line(self) -> int:
        rows = self._rows(self._across)
        return rows[self.view.scroll.top][0] if self.view.scroll.top < len(rows) else len(self._lines())

    def _row_of(self, line: int) -> int:
        return next((row for row, (index, _) in enumerate(self._rows(self._across)) if index == line), 0)

    def click(self, x: int, y: int) -> None:
        """A click makes a line the current one, or chooses one of several consoles."""
        rows = self._rows(self._across)
        at = self.view.scroll.top + y
        if self.several:
            self.chosen = min(y * len(self.runs) // max(self._down, 1), len(self.runs) - 1)
        elif at < len(rows):
            self.view.match = rows[at][0]


def _state(row: Row) -> Line:
    mark, _, style = appearance(row)
    return [(f"  {mark} {row.state_text}", style)]
