"""Screen 5: load of the machine, its processes, and the disk space of the runs."""

import time
from collections.abc import Sequence

from cockpit.context import Context, Screen
from cockpit.keys import SYSTEM
from cockpit.models.processes import Usage, usages
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.panes import disk
from cockpit.panes import processes as table
from cockpit.panes import system as machine
from cockpit.render.lines import Line, Lines, beside
from cockpit.services.processes import workers
from cockpit.services.sizes import Sizes

USERS, DISK = "users", "disk"
WIDE = 140  # columns from which on the machine is drawn at the left
MACHINE = 56  # its cells there
WORKERS_EVERY = 2.0  # seconds between two readings of which processes work on runs
SLICE = 0.004  # seconds that measuring the disk may take before keys are handled again


class SystemScreen(Screen):
    """Machine, processes, disk. Actions apply to the run under the cursor of the focused pane."""

    name = SYSTEM

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.focus = USERS
        self.cursors = {USERS: Cursor(), DISK: Cursor()}
        self.sizes = Sizes(context.folders)
        self.users: list[Usage] = []
        self.biggest: list[Row] = []
        self.boxes: dict[str, tuple[int, int, int]] = {}  # pane -> x, y and height of its lines
        self._workers: dict[int, str] = {}
        self._read = -WORKERS_EVERY
        self._seen = -1.0

    @property
    def row(self) -> Row | None:
        rows, line = self.context.list.rows, self.cursors[self.focus].line
        if self.focus == USERS:
            return rows.get(self.users[line].run) if line < len(self.users) else None
        return rows.get(self.biggest[line].id) if line < len(self.biggest) else None

    def title(self) -> Line:
        return [("  enter opens the run, x stops it", "dim")]

    def poll(self) -> bool:
        """Read processes and disk use; returns whether anything changed."""
        rows, now = self.context.list.rows, time.monotonic()
        if now - self._read >= WORKERS_EVERY:
            self._read = now
            self._workers = workers(self.context.folders, [row.id for row in rows.values() if row.open])
        reading = self.context.watch.machine
        changed = reading.time != self._seen
        if changed:
            self._seen = reading.time
            held = {pid: size for gpu in reading.gpus for pid, size in gpu.processes}
            before = [_key(user) for user in self.users]
            self.users = usages(reading.processes, self._workers, held)
            self._stay(USERS, before, [_key(user) for user in self.users])
        if self.sizes.poll([(row.id, row.open) for row in rows.values()], SLICE):
            before = [row.id for row in self.biggest]
            self.biggest = disk.biggest(self.sizes.sizes, rows)
            self._stay(DISK, before, [row.id for row in self.biggest])
            changed = True
        return changed

    def _stay(self, pane: str, before: list[str], after: list[str]) -> None:
        """Keep the cursor on its item after a change of the list; on the first line it stays there."""
        cursor = self.cursors[pane]
        cursor.stay(before[cursor.line] if 0 < cursor.line < len(before) else None, after)

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        watch = self.context.watch
        if across >= WIDE:
            first = down * 3 // 5
            left = machine.render(watch.machine, watch.use, MACHINE, first)
            above = beside([left, self._users(MACHINE, 0, across - MACHINE, first)])
            return [*above, *self._disk(0, first, across, down - first)]
        high = min(max(6, down // 3), 6 + 2 * len(watch.machine.gpus) if down < 30 else down)
        first = (down - high + 1) * 4 // 7
        return [
            *machine.render(watch.machine, watch.use, across, high),
            *self._users(0, high, across, first),
            *self._disk(0, high + first, across, down - high - first),
        ]

    def _users(self, x: int, y: int, across: int, down: int) -> Lines:
        top = self._top(USERS, x, y, len(self.users), down)
        cursor, cores = self.cursors[USERS].line, self.context.watch.machine.cores
        rows, now = self.context.list.rows, self.context.clock()
        return table.render(self.users, rows, cursor, top, cores, now, across, down, self.focus == USERS)

    def _disk(self, x: int, y: int, across: int, down: int) -> Lines:
        top = self._top(DISK, x, y, len(self.biggest), down)
        sizes, cursor, reading = self.sizes, self.cursors[DISK].line, self.context.watch.machine
        return disk.render(
            sizes.sizes, sizes.complete, self.biggest, cursor, top, reading, across, down, self.focus == DISK
        )

    def _top(self, pane: str, x: int, y: int, count: int, down: int) -> int:
        """The first visible line of a pane with ``down`` cells; the rectangle of its lines is kept for the mouse."""
        self.boxes[pane] = (x, y + 2, max(down - 3, 0))
        return self.cursors[pane].fit(count, down - 3)

    # -- keys ----------------------------------------------------------------------------------------------------

    def panes(self) -> Sequence[str]:
        return (USERS, DISK)

    @property
    def page(self) -> int:
        return self.cursors[self.focus].page

    def move(self, by: int) -> None:
        self.cursors[self.focus].step(by, len(self.users if self.focus == USERS else self.biggest))

    def why_not_open(self) -> str:
        return "" if self.row else "this process belongs to no run: the cockpit does not act on it"

    def click(self, x: int, y: int) -> None:
        for pane, (left, top, lines) in self.boxes.items():
            if x >= left and top <= y < top + lines:
                self.focus = pane
                self.cursors[pane].line = self.cursors[pane].top + y - top
                self.move(0)


def _key(user: Usage) -> str:
    """Identity of a line, to find it again."""
    return user.run or str(user.pids[0])
