"""Screen 5: what the machine does, who uses it, and what the runs take on its disk."""

import time
from typing import TYPE_CHECKING

from cockpit.keys import LIVE, SYSTEM
from cockpit.models.processes import Usage, usages
from cockpit.models.rows import Row
from cockpit.panes import disk
from cockpit.panes import processes as table
from cockpit.panes import system as machine
from cockpit.render.lines import Line, Lines, beside
from cockpit.services.processes import workers
from cockpit.services.sizes import Sizes

if TYPE_CHECKING:
    from cockpit.context import Context

USERS, DISK = "users", "disk"
WIDE = 140  # columns from which on the machine stands at the left
MACHINE = 56  # cells of it there
WORKERS_EVERY = 2.0  # seconds between two looks at which processes work on runs
SLICE = 0.004  # seconds that measuring the disk may take before keys are looked at again


class SystemScreen:
    """Machine, processes, disk. Keys are about the run under the cursor of the focused pane."""

    name = SYSTEM

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.pane = USERS
        self.cursor = {USERS: 0, DISK: 0}
        self.sizes = Sizes(context.root)
        self.users: list[Usage] = []
        self.biggest: list[Row] = []
        self._top = {USERS: 0, DISK: 0}
        self._where: dict[str, tuple[int, int, int]] = {}  # pane -> x, y and height of its lines
        self._workers: dict[int, str] = {}
        self._asked = -WORKERS_EVERY
        self._seen = -1.0

    @property
    def row(self) -> Row | None:
        rows, place = self.context.list.rows, self.cursor[self.pane]
        if self.pane == USERS:
            return rows.get(self.users[place].run) if place < len(self.users) else None
        return rows.get(self.biggest[place].id) if place < len(self.biggest) else None

    def title(self) -> Line:
        return [("  enter opens the run, x stops it", "dim")]

    def watched(self) -> list[str]:
        return []

    def poll(self) -> bool:
        """Read what only this screen shows; whether anything changed."""
        rows, now = self.context.list.rows, time.monotonic()
        if now - self._asked >= WORKERS_EVERY:
            self._asked = now
            self._workers = workers(self.context.root, [row.id for row in rows.values() if row.open])
        system = self.context.watch.system
        changed = system.time != self._seen
        if changed:
            self._seen = system.time
            held = {pid: size for gpu in system.gpus for pid, size in gpu.processes}
            before = [_key(user) for user in self.users]
            self.users = usages(system.processes, self._workers, held)
            self._stay(USERS, before, [_key(user) for user in self.users])
        if self.sizes.poll([(row.id, row.open) for row in rows.values()], SLICE):
            before = [row.id for row in self.biggest]
            self.biggest = disk.biggest(self.sizes.sizes, rows)
            self._stay(DISK, before, [row.id for row in self.biggest])
            changed = True
        return changed

    def _stay(self, pane: str, before: list[str], after: list[str]) -> None:
        """Leave the cursor on what it was on; on the first line it stays there, whatever that shows."""
        place = self.cursor[pane]
        if 0 < place < len(before) and before[place] in after:
            place = after.index(before[place])
        self.cursor[pane] = min(place, max(len(after) - 1, 0))

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        watch = self.context.watch
        if across >= WIDE:
            first = down * 3 // 5
            left = machine.render(watch.system, watch.use, MACHINE, first)
            above = beside([left, self._users(MACHINE, 0, across - MACHINE, first)])
            return [*above, *self._disk(0, first, across, down - first)]
        high = min(max(6, down // 3), 6 + 2 * len(watch.system.gpus) if down < 30 else down)
        first = (down - high + 1) * 4 // 7
        return [
            *machine.render(watch.system, watch.use, across, high),
            *self._users(0, high, across, first),
            *self._disk(0, high + first, across, down - high - first),
        ]

    def _users(self, x: int, y: int, across: int, down: int) -> Lines:
        top = self._scroll(USERS, x, y, down - 3, 2)
        cursor, cores = self.cursor[USERS], self.context.watch.system.cores
        rows, now = self.context.list.rows, self.context.clock()
        return table.render(self.users, rows, cursor, top, cores, now, across, down, self.pane == USERS)

    def _disk(self, x: int, y: int, across: int, down: int) -> Lines:
        top = self._scroll(DISK, x, y, down - 3, 2)
        sizes, system = self.sizes, self.context.watch.system
        return disk.render(
            sizes.sizes, sizes.complete, self.biggest, self.cursor[DISK], top, system, across, down, self.pane == DISK
        )

    def _scroll(self, pane: str, x: int, y: int, lines: int, skipped: int) -> int:
        """The first line that is shown, so that the cursor is among them; where they stand is kept for the mouse."""
        place = self.cursor[pane]
        self._top[pane] = max(0, min(max(self._top[pane], place - max(lines, 1) + 1), place))
        self._where[pane] = (x, y + skipped, max(lines, 0))
        return self._top[pane]

    # -- keys ----------------------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        most = len(self.users if self.pane == USERS else self.biggest)
        self.cursor[self.pane] = min(max(self.cursor[self.pane] + by, 0), max(most - 1, 0))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_page_down(self) -> None:
        self._move(10)

    def do_page_up(self) -> None:
        self._move(-10)

    def do_first(self) -> None:
        self._move(-len(self.users) - len(self.biggest))

    def do_last(self) -> None:
        self._move(len(self.users) + len(self.biggest))

    def do_pane(self) -> None:
        self.pane = DISK if self.pane == USERS else USERS

    do_pane_back = do_pane

    def why_not_open(self) -> str:
        return "" if self.row else "this process works for no run here: the cockpit leaves it alone"

    def do_open(self) -> None:
        if self.row is not None:
            self.context.live.open(self.row.id)
            self.context.show(LIVE)

    def click(self, x: int, y: int) -> None:
        for pane, (left, top, lines) in self._where.items():
            if x >= left and top <= y < top + lines:
                self.pane = pane
                self.cursor[pane] = 0
                self._move(self._top[pane] + y - top)


def _key(user: Usage) -> str:
    """What a line is about, to find it again."""
    return user.run or str(user.pids[0])
