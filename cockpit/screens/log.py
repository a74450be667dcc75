"""The console of one run on the whole screen: search, errors only, follow."""

from cockpit.context import Context, Screen
from cockpit.keys import LOG
from cockpit.models.rows import Row
from cockpit.panes.log import level, styled
from cockpit.render.lines import Line, Lines, block
from engine.report import numbers


class LogScreen(Screen):
    """Shows the run of the screen below it."""

    name = LOG

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.following = True
        self.errors = False
        self.search = ""
        self._match = -1
        self._run = ""
        self._cached: tuple[tuple[str, int, str, bool], list[str]] = (("", -1, "", False), [])

    @property
    def row(self) -> Row | None:
        below = [name for name in self.context.stack if name != LOG]
        row = self.context.screens[below[-1]].row if below else None
        if row is not None and row.id != self._run:
            self._run, self.scroll.top, self._match, self.following = row.id, 0, -1, True
        return row

    def title(self) -> Line:
        row = self.row
        if row is None:
            return []
        console = self.context.watch.console(row.id)
        line: Line = [(f"  {row.stage} {row.name}  {row.state}", "dim"), (f"  {len(self._lines()):,} lines", "dim")]
        if console.skipped:
            line.append((f"  (first {numbers.size(console.skipped)} not shown: engine logs {row.id})", "warn"))
        if self.errors:
            line.append(("  errors only", "warn"))
        if self.search:
            line.append((f"  / {self.search}", "key"))
        return line if not self.following else [*line, ("  follows", "ok")]

    def click(self, x: int, y: int) -> None:
        self._match = min(self.scroll.top + y, max(len(self._lines()) - 1, 0))

    def _lines(self) -> list[str]:
        row = self.row
        if row is None:
            return []
        console = self.context.watch.console(row.id)
        key = (row.id, console.version, console.unfinished, self.errors)
        if self._cached[0] != key:
            lines = [*console.lines, *([console.unfinished] if console.unfinished else [])]
            self._cached = (key, [line for line in lines if level(line)] if self.errors else lines)
        return self._cached[1]

    def draw(self, across: int, down: int) -> Lines:
        lines = self._lines()
        if self.following:
            self.scroll.top = len(lines)
        top = self.scroll.fit(len(lines), down)
        body: Lines = [
            styled(line, self.search, index == self._match) for index, line in enumerate(lines[top : top + down], top)
        ]
        if not body:
            text = "no line with an error or a warning" if self.errors else "nothing printed yet"
            body = [[("  " + text, "dim")]]
        return block(body, across, down)

    # -- keys ----------------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        super().move(by)
        self.following = by > 0 and self.scroll.top >= len(self._lines()) - self.scroll.rows

    def do_follow(self) -> None:
        self.following = not self.following

    def do_errors(self) -> None:
        self.errors = not self.errors
        self._match = -1

    def do_filter(self) -> None:
        def take(text: str) -> None:
            self.search, self._match = text, -1
            if text:
                self.do_previous() if self.following else self.do_next()

        self.context.open_prompt("search", self.search, take, hint="n next, N previous")

    def why_not_next(self) -> str:
        return "" if self.search else "search with / first"

    why_not_previous = why_not_next

    def do_next(self) -> None:
        self._find(1)

    def do_previous(self) -> None:
        self._find(-1)

    def _find(self, direction: int) -> None:
        """Go to the next line with the search text, around the ends."""
        lines, wanted = self._lines(), self.search.lower()
        start = self._match if self._match >= 0 else (self.scroll.top - 1 if direction > 0 else len(lines))
        for offset in range(1, len(lines) + 1):
            index = (start + direction * offset) % len(lines)
            if wanted in lines[index].lower():
                self._match, self.following = index, False
                self.scroll.top = max(0, index - self.scroll.page)
                return
        self.context.notify(f"{self.search!r} does not occur", "warn")
