"""Use of the machine, a line each: runs by their name, other processes by their command."""

from collections.abc import Mapping, Sequence

from cockpit.models.processes import Usage
from cockpit.models.rows import Row
from cockpit.panes.run_table import appearance
from cockpit.render.lines import Line, Lines, box, selected
from engine.report import numbers
from engine.report.tables import column, right

NARROW = 96  # cells below which the columns account and age are left out


def render(
    usages: Sequence[Usage],
    rows: Mapping[str, Row],
    cursor: int,
    top: int,
    cores: int | None,
    now: float,
    across: int,
    down: int,
    focused: bool = False,
) -> Lines:
    """The lines from ``top`` on; ``cursor`` is the selected one."""
    inside = across - 2
    wide = across >= NARROW
    heading = "  who" + " " * max(0, inside - 26 - 18 * wide)
    heading += ("account  " if wide else "") + "  cores" + " memory" + "    gpu" + ("      age" if wide else "")
    lines: Lines = [[(heading, "dim")]]
    for index, usage in enumerate(usages[top : top + max(0, down - 3)], top):
        line = _line(usage, rows.get(usage.run), now, inside, wide)
        lines.append(selected(line, inside) if focused and index == cursor else line)
    if not usages:
        lines.append([("looking", "dim")])
    return box([("processes", "title"), *_summary(usages, cores)], lines, across, down, focused)


def _line(usage: Usage, row: Row | None, now: float, inside: int, wide: bool) -> Line:
    room = inside - 21 - 18 * wide
    if row is not None:
        mark, word, style = appearance(row)
        who: Line = [(f"{mark} {word:<6}", style), (column(f"{row.stage} {row.name}", room - 9) + " ", "bold")]
    else:
        number = f"{usage.pids[0]} " if len(usage.pids) == 1 else ""
        who = [("  ", ""), (column(number + usage.command, room - 3) + " ", "" if usage.run else "dim")]
    figures: Line = [
        (right(numbers.MISSING if usage.cpu is None else f"{usage.cpu:.2f}", 7), ""),
        (right(_size(usage.memory), 7), ""),
        (right(_size(usage.gpu), 7), ""),
    ]
    if not wide:
        return [*who, *figures]
    age = "" if usage.started is None else numbers.duration(now - usage.started)
    return [*who, (column(usage.account, 8) + " ", "dim"), *figures, (right(age, 9), "dim")]


def _size(number: float | None) -> str:
    return "" if number is None else numbers.size(number)


def _summary(usages: Sequence[Usage], cores: int | None) -> Line:
    """Processor use of runs and of other processes."""
    known = [usage for usage in usages if usage.cpu is not None]
    if not known:
        return []
    ours = sum(usage.cpu or 0.0 for usage in known if usage.run)
    rest = sum(usage.cpu or 0.0 for usage in known if not usage.run)
    count = sum(bool(usage.run) for usage in usages)
    text = f"  {count} run{'s' * (count != 1)} {ours:.1f}, others {rest:.1f}" + (f" of {cores} cores" if cores else "")
    return [(text, "warn" if cores and rest > cores / 2 else "dim")]
