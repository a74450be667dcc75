"""Screen 4: runs at work and in the queue, their order, which can be changed, and their estimated times."""

import time
from collections.abc import Callable
from functools import partialmethod

from cockpit.actions import control
from cockpit.actions.about import NO_RUN
from cockpit.context import Context, Screen
from cockpit.keys import QUEUE
from cockpit.models.queue import dependents, short, why
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.panes import queue as pane
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines
from engine.errors import UserError
from engine.jobs import queue
from engine.jobs.queue import SlotUse, Waiting
from engine.jobs.queue_rows import QueueRow, queue_rows
from engine.report import numbers
from engine.runs.identity import host

READ_EVERY = 1.0  # seconds between two readings of queue entries and slots


class QueueScreen(Screen):
    """Slots and queues. Actions apply to the run under the cursor, which stays on its run when the order changes."""

    name = QUEUE

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.entries: list[QueueRow[Row]] = []
        self.uses: list[SlotUse] = []
        self.scroll = self.cursor = Cursor()
        self.trouble = ""
        self._waiting: list[Waiting] = []
        self._read = -READ_EVERY
        self._open: list[tuple[str, str]] = []  # runs that had not ended at the last reading
        self._first = 0  # line of the screen with the first run

    @property
    def entry(self) -> QueueRow[Row] | None:
        return self.entries[self.cursor.line] if self.cursor.line < len(self.entries) else None

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

    def poll(self) -> bool:
        """Read entries and slots once a second; order the runs then, and when one is added, starts or ends."""
        now = time.monotonic()
        if now - self._read >= READ_EVERY:
            self._read = now
            try:
                found = [queue.snapshot(root) for root in self.context.folders.named.values()]
                self.uses = [use for uses, _ in found for use in uses]
                self._waiting = [one for _, waiting in found for one in waiting]
                self.trouble = ""
            except OSError as error:
                self.trouble = f"{error.filename}: {error.strerror}"
        elif [(row.id, row.state) for row in self.context.list.rows.values() if row.open] == self._open:
            return False
        self._open = [(row.id, row.state) for row in self.context.list.rows.values() if row.open]
        here, before = self.row, self.entries
        self.entries = queue_rows(self.context.list.rows, self.uses, self._waiting, self.context.clock(), short)
        self.cursor.stay(here and here.id, [entry.run.id for entry in self.entries])
        return self.entries != before

    def draw(self, across: int, down: int) -> Lines:
        high = min(max(len(self.uses), 1) + 2, max(4, down // 3))
        rest = down - high - bool(self.trouble)
        top = self.cursor.fit(len(self.entries), rest - 4)
        self._first = high + 2
        above = pane.slots(self.uses, self.context.list.rows, host(), across, high)
        trouble: Lines = [[(" ✗ " + self.trouble, "bad")]] if self.trouble else []
        return [
            *above,
            *pane.line(self.entries, self.context.list.varying, self.cursor.line, top, across, rest),
            *trouble,
        ]

    # -- keys ----------------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        self.cursor.step(by, len(self.entries))

    def why_not_pause(self) -> str:
        entry = self.entry
        if entry is None:
            return NO_RUN
        if entry.waiting is not None:
            return ""
        if entry.run.live:
            return f"{short(entry.run)} is running: x stops it with a checkpoint, R resumes it"
        return f"{short(entry.run)} waits for no slot of this machine: {why(entry)}"

    why_not_sooner = why_not_later = why_not_front = why_not_end = why_not_pause

    def do_pause(self) -> None:
        entry = self.entry
        if entry is not None:
            self._do(lambda: queue.pause(self.context.folders.root(entry.run.id), entry.run.id, not entry.paused))
            self.context.notify(f"{short(entry.run)} {'resumed' if entry.paused else 'paused: others overtake it'}")

    def _change(self, to: str) -> None:
        row = self.row
        if row is not None:
            self._do(lambda: queue.move(self.context.folders.root(row.id), row.id, to))

    do_sooner, do_later = partialmethod(_change, "sooner"), partialmethod(_change, "later")
    do_front, do_end = partialmethod(_change, "first"), partialmethod(_change, "last")

    def _do(self, what: Callable[[], None]) -> None:
        """Write a change, and read its effect at once."""
        try:
            what()
        except (UserError, OSError) as error:
            self.context.notify(str(error), "bad")
        self._read = -READ_EVERY
        self.poll()

    def do_stop(self) -> None:
        """Stop a run at work as on other screens; remove a waiting one from the queue."""
        row = self.row
        if row is None or row.live:
            control.do_stop(self.context)
            return
        others = dependents(row.id, self.context.list.rows)
        also = f"; {len(others)} that need it end too" if others else ""
        items = [MenuItem("cancel", f"it does not start{also}; R on the list resumes it", "now")]
        self.context.open_menu(f"cancel {short(row)}", items, lambda when: control.stop(self.context, [row], when))

    def why_not_stop(self) -> str:
        return control.why_not_stop(self.context)

    def click(self, x: int, y: int) -> None:
        line = self.cursor.top + y - self._first
        if y >= self._first and line < len(self.entries):
            self.cursor.line = line
