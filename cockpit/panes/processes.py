"""Who uses the machine, a line each: runs by their name, everything else by its command."""

from collections.abc import Mapping, Sequence

from cockpit.models.processes import User
from cockpit.models.rows import Row
from cockpit.panes.run_table import STATES, UNKNOWN
from cockpit.render import numbers
from cockpit.render.lines import Line, Lines, box, column, right, selected

NARROW = 96  # cells below which account and age have no column


def render(
    users: Sequence[User],
    rows: Mapping[str, Row],
    cursor: int,
    top: int,
    cores: int | None,
    now: float,
    across: int,
    down: int,
    focused: bool = False,
) -> Lines:
    """The lines from ``top`` on; ``cursor`` is the one that keys are about."""
    inside = across - 2
    wide = across >= NARROW
    heading = "  who" + " " * max(0, inside - 26 - 18 * wide)
    heading += ("account  " if wide else "") + "  cores" + " memory" + "    gpu" + ("      age" if wide else "")
    lines: Lines = [[(heading, "dim")]]
    for index, user in enumerate(users[top : top + max(0, down - 3)], top):
        line = _line(user, rows.get(user.run), now, inside, wide)
        lines.append(selected(line, inside) if focused and index == cursor else line)
    if not users:
        lines.append([("looking", "dim")])
    frame = "focus" if focused else "border"
    return box([("processes", "title"), *_told(users, cores)], lines, across, down, frame)


def _line(user: User, row: Row | None, now: float, inside: int, wide: bool) -> Line:
    room = inside - 21 - 18 * wide
    if row is not None:
        mark, word, style = STATES.get(row.state, UNKNOWN)
        who: Line = [(f"{mark} {word:<6}", style), (column(f"{row.stage} {row.name}", room - 9) + " ", "bold")]
    else:
        number = f"{user.pids[0]} " if len(user.pids) == 1 else ""
        who = [("  ", ""), (column(number + user.command, room - 3) + " ", "" if user.run else "dim")]
    figures: Line = [
        (right(numbers.MISSING if user.cpu is None else f"{user.cpu:.2f}", 7), ""),
        (right(_size(user.memory), 7), ""),
        (right(_size(user.gpu), 7), ""),
    ]
    if not wide:
        return [*who, *figures]
    age = "" if user.started is None else numbers.duration(now - user.started)
    return [*who, (column(user.account, 8) + " ", "dim"), *figures, (right(age, 9), "dim")]


def _size(number: float | None) -> str:
    return "" if number is None else numbers.size(number)


def _told(users: Sequence[User], cores: int | None) -> Line:
    """In a few words, who the machine works for."""
    known = [user for user in users if user.cpu is not None]
    if not known:
        return []
    ours = sum(user.cpu or 0.0 for user in known if user.run)
    rest = sum(user.cpu or 0.0 for user in known if not user.run)
    count = sum(bool(user.run) for user in users)
    told = f"  {count} run{'s' * (count != 1)} {ours:.1f}, others {rest:.1f}" + (f" of {cores} cores" if cores else "")
    return [(told, "warn" if cores and rest > cores / 2 else "dim")]
