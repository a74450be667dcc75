"""The slots with their runs, and the waiting runs in order."""

from collections.abc import Mapping, Sequence

from cockpit.models.queue import short, why
from cockpit.models.rows import Row
from cockpit.models.varying import Varying
from cockpit.panes.run_table import appearance, progress
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, box, selected
from engine.jobs.queue import SlotUse
from engine.jobs.queue_rows import QueueRow
from engine.report import numbers
from engine.report.tables import column, right

WIDE = 110  # columns from which on ids are whole and experiments are shown
BAR = 20  # cells


def slots(uses: Sequence[SlotUse], rows: Mapping[str, Row], here: str, across: int, down: int) -> Lines:
    """A line per slot: free, or its run and that run's progress."""
    lines: Lines = []
    for use in uses:
        name = f"{use.device} {use.slot}" + (f" on {use.host}" if use.host != here else "")
        row = rows.get(use.run)
        line: Line = [(column(name, 14 if across < WIDE else 28) + " ", "bold")]
        if row is None:
            free = not use.run
            line.append(("free", "ok") if free else (f"taken by {use.run}", "warn"))
        else:
            mark, _, style = appearance(row)
            line += [(f"{mark} ", style), (column(short(row), 16) + " ", "")]
            if row.share is not None:
                line.append((f"{bar(row.share, BAR)} {row.share:4.0%}  ", style))
            left = f"eta {numbers.duration(row.eta)}" if row.eta is not None else row.phase or "starting"
            line.append((f"{progress(row)}  {left}", "dim"))
        lines.append(line)
    return box([("slots", "title")], lines or [[("no run has asked for a slot yet", "dim")]], across, down)


def line(entries: Sequence[QueueRow[Row]], varying: Varying, cursor: int, top: int, across: int, down: int) -> Lines:
    """Heading, a line per run, and at the bottom the whole reason of the one under the cursor.

    ``begins`` and ``done`` are times from now, estimated from earlier runs.
    """
    wide = across - 2 >= WIDE
    varied = [varying.named(entry.run) for entry in entries]
    most = min(max(6, *map(len, varied)), 30 if wide else 20) if any(varied) else 0
    head = f"  # {column('state', 7)} {column('run', 28 if wide else 15)} "
    head += column("experiment", 17) if wide else ""
    head += f"{column('varies', most)} " if most else ""
    head += f"{column('slot', 6)} {right('begins', 7)} {right('done', 7)}  why"
    lines: Lines = [[(head, "dim")]]
    for index in range(top, min(len(entries), top + max(down - 4, 1))):
        one = _one(entries[index], wide, column(varied[index], most))
        lines.append(selected(one, across - 2) if index == cursor else one)
    if not entries:
        lines.append([("nothing works and nothing waits: a launches a run", "dim")])
    if entries:
        lines += [[]] * (down - 3 - len(lines))
        lines.append([("▸ ", "mark"), (f"{short(entries[cursor].run)}  ", "bold"), (why(entries[cursor]), "")])
    return box([("queue", "title")], lines, across, down, focused=True)


def _one(entry: QueueRow[Row], wide: bool, varied: str) -> Line:
    row = entry.run
    mark, word, style = ("‖", "PAUSE", "warn") if entry.paused else appearance(row)
    position = "" if entry.position is None else str(entry.position)
    name = f"{column(row.stage, 9)} {row.name}" if wide else f"{column(row.stage, 9)} {row.id[-4:]}"
    cells: Line = [(right(position, 3) + " ", "bold"), (column(f"{mark} {word}", 7) + " ", style)]
    cells.append((column(name, 28 if wide else 15) + " ", "bold" if row.live else ""))
    if wide:
        cells.append((column(row.experiment, 16) + " ", "dim"))
    if varied:
        cells.append((varied + " ", ""))
    cells.append((column(entry.slot, 6) + " ", "dim"))
    begins = "now" if row.live else numbers.duration(entry.begins)
    cells.append(
        (f"{right(begins, 7)} {right(numbers.duration(entry.ends), 7)}  ", "dim" if entry.begins is None else "")
    )
    return [*cells, (why(entry), "" if row.live else "dim")]
