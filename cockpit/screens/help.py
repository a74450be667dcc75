"""Every key, from the one table, and the filter language."""

from typing import TYPE_CHECKING

from cockpit.keys import HELP, SCREENS, SHOWN, caption
from cockpit.models import query
from cockpit.models.rows import Row
from cockpit.panes.run_table import STATES
from cockpit.render.lines import Line, Lines, block
from engine.report.tables import column

if TYPE_CHECKING:
    from cockpit.context import Context

ABOUT = {
    "RUNNING": "at work, heard of in the last seconds",
    "STALLED": "alive, but silent: it may hang",
    "WAITING": "for the runs whose artifacts it needs",
    "QUEUED": "for a free slot of the device",
    "DONE": "finished",
    "FAILED": "ended with an error, which stands beside it",
    "STOPPED": "by a person, with its work saved: R resumes it",
    "KILLED": "by a signal, or out of memory",
    "LOST": "its process or machine is gone and recorded no end: R resumes it",
}


class HelpScreen:
    """Scrolls; nothing else."""

    name = HELP

    def __init__(self, context: "Context") -> None:
        self.context = context
        self._top = 0
        self._page = 10

    @property
    def row(self) -> Row | None:
        return None

    def title(self) -> Line:
        return [("  j k scroll, q back", "dim")]

    def watched(self) -> list[str]:
        return []

    def click(self, x: int, y: int) -> None:
        """Nothing here can be clicked."""

    def draw(self, across: int, down: int) -> Lines:
        lines = self.lines()
        self._page = down
        self._top = max(0, min(self._top, len(lines) - down))
        return block(lines[self._top :], across, down)

    def lines(self) -> Lines:
        """The whole page."""
        out: Lines = []
        for screen in SCREENS:
            if screen == HELP:
                continue
            opens = next(key.shown for key in self.context.keys.table if key.action in (screen, f"show_{screen}"))
            out += [[], [(f" {caption(screen)} ({opens})", "header")]]
            for key in self.context.keys.of(screen):
                shown = " ".join(SHOWN.get(name, name) for name in key.keys)
                out.append([("   " + column(shown, 18), "key"), (column(key.label, 14), ""), (key.help, "dim")])
        out += [[], [(" States", "header")]]
        for state, (glyph, word, style) in STATES.items():
            out.append([("   " + glyph + " ", style), (column(word, 7), style), (ABOUT[state], "dim")])
        out += [[], [(" Filter (/ on Runs)", "header")]]
        language = (query.__doc__ or "").splitlines()[2:]
        out += [[("   " + line.strip(), "dim")] for line in language if line.strip()]
        out += [
            [],
            [(" Closing the cockpit never stops a run. Everything here can be done with `engine` too.", "dim")],
            [(" On a slow line: cockpit --low-bandwidth, and ssh -C.", "dim")],
        ]
        return out[1:]

    def do_down(self) -> None:
        self._top += 1

    def do_up(self) -> None:
        self._top = max(0, self._top - 1)

    def do_page_down(self) -> None:
        self._top += self._page // 2

    def do_page_up(self) -> None:
        self._top = max(0, self._top - self._page // 2)

    def do_first(self) -> None:
        self._top = 0

    def do_last(self) -> None:
        self._top = len(self.lines())
