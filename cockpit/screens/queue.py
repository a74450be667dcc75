"""Screen 4: what works, what waits, for what, and until when. Its order is a person's to change."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cockpit.actions import control
from cockpit.keys import LIVE, QUEUE
from cockpit.models.queue import dependents, short, why
from cockpit.models.rows import Row
from cockpit.panes import queue as pane
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines
from engine.errors import UserError
from engine.jobs import queue
from engine.jobs.queue import SlotUse, Waiting
from engine.jobs.queue_rows import QueueRow, queue_rows
from engine.report import numbers
from engine.runs.identity import host

if TYPE_CHECKING:
    from cockpit.context import Context

LOOK_EVERY = 1.0  # seconds between two looks at tickets and slots


class QueueScreen:
    """Slots and lines. Keys are about the run under the cursor, which stays on its run."""

    name = QUEUE

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.entries: list[QueueRow[Row]] = []
        self.uses: list[SlotUse] = []
        self.cursor = 0
        self.trouble = ""
        self._waiting: list[Waiting] = []
        self._asked = -LOOK_EVERY
        self._open: list[tuple[str, str]] = []  # what was at work or waiting at the last look
        self._top = 0
        self._first = 0  # line of the screen on which the first run stands
        self._page = 10

    @property
    def entry(self) -> QueueRow[Row] | None:
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    @property
    def row(self) -> Row | None:
        return self.entry.run if self.entry else None

    def title(self) -> Line:
        waits = sum(not entry.run.live for entry in self.entries)
        taken = sum(bool(use.run) for use in self.uses)
        line: Line = [(f"  {taken} of {len(self.uses)} slots taken, {waits} wait", "dim")]
        ends = [entry.ends for entry in self.entries if not entry.paused]
        last = max((end for end in ends if end is not None), default=None)
        if last is not None and None not in ends:
            line.append((f"  all done in {numbers.duration(last)}", "dim"))
        return line

    def watched(self) -> list[str]:
        return []

    def poll(self) -> bool:
        """Read tickets and slots once a second, and put the runs in the order of their turns then and when one begins,
        ends or comes."""
        now = time.monotonic()
        if now - self._asked >= LOOK_EVERY:
            self._asked = now
            try:
                self.uses, self._waiting = queue.snapshot(self.context.root)
                self.trouble = ""
            except OSError as error:
                self.trouble = f"{error.filename}: {error.strerror}"
        elif [(row.id, row.state) for row in self.context.list.rows.values() if row.open] == self._open:
            return False
        self._open = [(row.id, row.state) for row in self.context.list.rows.values() if row.open]
        here, before = self.row, self.entries
        self.entries = queue_rows(self.context.list.rows, self.uses, self._waiting, self.context.clock(), short)
        self._keep(here)
        return self.entries != before

    def _keep(self, here: Row | None) -> None:
        """Leave the cursor on its run while that is there."""
        ids = [entry.run.id for entry in self.entries]
        if here is not None and here.id in ids:
            self.cursor = ids.index(here.id)
        self.cursor = min(self.cursor, max(len(ids) - 1, 0))

    def draw(self, across: int, down: int) -> Lines:
        high = min(max(len(self.uses), 1) + 2, max(4, down // 3))
        rest = down - high - bool(self.trouble)
        self._page = max(1, rest - 4)
        self._top = max(0, min(max(self._top, self.cursor - self._page + 1), self.cursor))
        self._first = high + 2
        above = pane.slots(self.uses, self.context.list.rows, host(), across, high)
        trouble: Lines = [[(" ✗ " + self.trouble, "bad")]] if self.trouble else []
        return [*above, *pane.line(self.entries, self.cursor, self._top, across, rest), *trouble]

    # -- keys ----------------------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        self.cursor = min(max(self.cursor + by, 0), max(len(self.entries) - 1, 0))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_page_down(self) -> None:
        self._move(max(1, self._page // 2))

    def do_page_up(self) -> None:
        self._move(-max(1, self._page // 2))

    def do_first(self) -> None:
        self._move(-len(self.entries))

    def do_last(self) -> None:
        self._move(len(self.entries))

    def why_not_open(self) -> str:
        return "" if self.row else "there is no run here"

    def do_open(self) -> None:
        if self.row is not None:
            self.context.live.open(self.row.id)
            self.context.show(LIVE)

    def why_not_pause(self) -> str:
        entry = self.entry
        if entry is None:
            return "there is no run here"
        if entry.waiting is not None:
            return ""
        if entry.run.live:
            return f"{short(entry.run)} is at work: x stops it with a checkpoint, R goes on"
        return f"{short(entry.run)} waits for no slot of the cockpit's: {why(entry)}"

    why_not_sooner = why_not_later = why_not_front = why_not_end = why_not_pause

    def do_pause(self) -> None:
        entry = self.entry
        if entry is not None:
            self._do(lambda: queue.pause(self.context.root, entry.run.id, not entry.paused))
            self.context.say(f"{short(entry.run)} {'goes on' if entry.paused else 'paused: others pass it'}")

    def do_sooner(self) -> None:
        self._change("sooner")

    def do_later(self) -> None:
        self._change("later")

    def do_front(self) -> None:
        self._change("first")

    def do_end(self) -> None:
        self._change("last")

    def _change(self, to: str) -> None:
        row = self.row
        if row is not None:
            self._do(lambda: queue.move(self.context.root, row.id, to))

    def _do(self, what: Callable[[], None]) -> None:
        """Write what a person wants, and look at once at what came of it."""
        try:
            what()
        except (UserError, OSError) as error:
            self.context.say(str(error), "bad")
        self._asked = -LOOK_EVERY
        self.poll()

    def do_stop(self) -> None:
        """At work it is stopped as everywhere; before that it is taken out of the queue."""
        row = self.row
        if row is None or row.live:
            control.do_stop(self.context)
            return
        others = dependents(row.id, self.context.list.rows)
        also = f"; {len(others)} that need it end too" if others else ""
        choices = [MenuItem("cancel", f"it does not begin{also}; R on the list brings it back", "now")]
        self.context.choose(f"cancel {short(row)}", choices, lambda when: control.stop(self.context, [row], when))

    def why_not_stop(self) -> str:
        return control.why_not_stop(self.context)

    def click(self, x: int, y: int) -> None:
        index = self._top + y - self._first
        if y >= self._first and index < len(self.entries):
            self.cursor = index
