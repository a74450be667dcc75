"""Disk use of the runs: by stage, and the biggest ones."""

from collections.abc import Mapping, Sequence

from cockpit.models.rows import Row
from cockpit.panes.run_table import appearance
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, beside, block, box, selected
from cockpit.services.system import Machine
from engine.report import numbers
from engine.report.tables import column, right
from engine.stages import STAGES

BY_STAGE = 38  # cells of the table of stages
TIGHT = 0.03  # share of free disk space below which the pane warns


def biggest(sizes: Mapping[str, int], rows: Mapping[str, Row]) -> list[Row]:
    """Runs by size, the biggest first."""
    return sorted((row for row in rows.values() if row.id in sizes), key=lambda row: -sizes[row.id])


def render(
    sizes: Mapping[str, int],
    complete: bool,
    runs: Sequence[Row],
    cursor: int,
    top: int,
    system: Machine,
    across: int,
    down: int,
    focused: bool = False,
) -> Lines:
    """``runs``: the biggest first; the lines from ``top`` on are shown, ``cursor`` is the selected one."""
    inside, rows = across - 2, max(0, down - 2)
    left = _by_stage(sizes, runs, BY_STAGE - 2) if across >= 2 * BY_STAGE else []
    room = inside - (BY_STAGE if left else 0)
    lines: Lines = [[("biggest runs", "dim")]]
    for index, row in enumerate(runs[top : top + max(0, rows - 1)], top):
        mark, word, style = appearance(row)
        line: Line = [
            (right(numbers.size(sizes[row.id]), 6) + " ", ""),
            (f"{mark} {word:<6}", style),
            (column(f"{row.stage} {row.name}", 32), ""),
            (row.experiment + ("  pinned" if row.pinned else ""), "dim"),
        ]
        lines.append(selected(line, room) if focused and index == cursor else line)
    if left:
        lines = beside([block(left, BY_STAGE, rows), block(lines, room, rows)])
    title: Line = [("disk", "title"), (f"  runs {numbers.size(sum(sizes.values()))}", "")]
    if not complete:
        title.append((" so far", "warn"))
    if system.disk_free is not None and system.disk_total:
        tight = system.disk_free < TIGHT * system.disk_total
        text = f"  {numbers.size(system.disk_free)} free of {numbers.size(system.disk_total)}"
        title += [(text, "bad" if tight else "dim"), ("  ⚠ full soon: engine rm ID makes room" if tight else "", "bad")]
    return box(title, lines, across, down, focused)


def _by_stage(sizes: Mapping[str, int], runs: Sequence[Row], across: int) -> Lines:
    """One line per stage: number of runs, bytes, share of all bytes."""
    totals: dict[str, tuple[int, int]] = {}
    for row in runs:
        count, size = totals.get(row.stage, (0, 0))
        totals[row.stage] = count + 1, size + sizes[row.id]
    order = [*STAGES, *sorted(totals.keys() - STAGES.keys())]
    whole = sum(size for _, size in totals.values()) or 1
    lines: Lines = [[("stage      runs   size", "dim")]]
    for stage in order:
        if stage in totals:
            count, size = totals[stage]
            line: Line = [
                (column(stage, 10), ""),
                (right(f"{count:,}", 5), "dim"),
                (right(numbers.size(size), 7) + " ", ""),
            ]
            lines.append([*line, (bar(size / whole, across - 24), "series0")])
    return lines
