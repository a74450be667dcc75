"""The table of runs: one line each, with its state, progress, main metric and health.

Columns appear as there is room for them; a run without numbers shows the reason in their place.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cockpit.models.rows import OTHER, Row
from cockpit.models.run_list import GroupHeading, RunList
from cockpit.render.lines import Line, Lines, block, selected, width
from engine.report import numbers
from engine.report.tables import column, right

STATES = {  # state -> glyph, word, style
    "RUNNING": ("●", "RUN", "run"),
    "STALLED": ("◐", "STALL", "warn"),
    "WAITING": ("◌", "WAIT", "wait"),
    "QUEUED": ("○", "QUEUE", "wait"),
    "DONE": ("✓", "DONE", "done"),
    "FAILED": ("✗", "FAIL", "bad"),
    "STOPPED": ("■", "STOP", "warn"),
    "KILLED": ("†", "KILL", "bad"),
    "LOST": ("?", "LOST", "warn"),
    OTHER: ("◇", "OTHER", "dim"),
}
UNKNOWN = ("?", "?", "warn")
STOPPING = ("◍", "STOP…", "warn")  # asked to end, and still at work


@dataclass(frozen=True)
class TableColumn:
    """``need`` is the width of the table from which on the column is shown."""

    title: str
    size: int
    need: int


@dataclass(frozen=True)
class VaryingColumn(TableColumn):
    """What varies within the experiments that are shown: run id -> text."""

    texts: Mapping[str, str]


NARROW = 100  # below it a run is named by the end of its id, which `engine` takes as well
STATE, STAGE = TableColumn("state", 5, 0), TableColumn("stage", 9, 0)
RUN, SHORT_RUN = TableColumn("run", 18, NARROW), TableColumn("run ", 11, 0)
AGE, EXPERIMENT, SEED = TableColumn("age", 4, 100), TableColumn("experiment", 16, 110), TableColumn("seed", 4, 96)
PROGRESS, METRIC, DELTA = TableColumn("progress", 11, 0), TableColumn("metric", 7, 0), TableColumn("Δbest", 7, 0)
HEALTH, ETA, GIT = TableColumn("health", 7, 76), TableColumn("eta/took", 8, 0), TableColumn("git", 8, 150)
NUMBERS = (PROGRESS, METRIC, DELTA, HEALTH, ETA)
VARIES, MOST = 16, 44  # cells of the column of what varies: at least, before others go for it, and at most
FOLDER = TableColumn("folder", 9, 90)  # where runs of several folders are shown
COLUMNS = (STATE, STAGE, RUN, SHORT_RUN, FOLDER, AGE, EXPERIMENT, SEED, *NUMBERS, GIT)


def render(runs: RunList, top: int, now: float, across: int, down: int) -> Lines:
    """The heading and as many lines as fit, from entry ``top`` on."""
    left_out = [*([SHORT_RUN] if across >= NARROW else []), *([] if runs.folders else [FOLDER])]
    columns = [one for one in COLUMNS if across >= one.need and one not in left_out]
    entries = runs.entries[top : top + down - 1]
    columns = _with_varying(columns, [entry for entry in entries if isinstance(entry, Row)], runs, across)
    lines: Lines = [_heading(columns)]
    for index, entry in enumerate(entries, top):
        line = _group_line(entry) if isinstance(entry, GroupHeading) else _run_line(entry, runs, columns, now)
        lines.append(selected(line, across) if index == runs.cursor else line)
    return block(lines, across, down)


def _with_varying(columns: list[TableColumn], rows: Sequence[Row], runs: RunList, across: int) -> list[TableColumn]:
    """A column with what varies within the experiments of these rows; where it has no room, others go for it."""
    if not any(runs.varying.names(row) for row in rows):
        return columns
    title, texts = runs.varying.texts(rows)
    wanted = max(map(len, [title, *texts.values()]))
    for dropped in (DELTA, ETA, None):
        room = across - 4 - sum(one.size + 1 for one in columns)
        if room >= min(wanted, VARIES) or dropped is None:
            break
        columns = [one for one in columns if one is not dropped]
    at = columns.index(PROGRESS)
    return [*columns[:at], VaryingColumn(title, max(min(wanted, room, MOST), 8), 0, texts), *columns[at:]]


def appearance(row: Row) -> tuple[str, str, str]:
    """Glyph, word and style of a run's state."""
    return STOPPING if row.live and row.request else STATES.get(row.state, UNKNOWN)


def _heading(columns: Sequence[TableColumn]) -> Line:
    return [("   ", "dim"), *[(column(c.title, c.size) + " ", "dim") for c in columns], ("tags", "dim")]


def _group_line(heading: GroupHeading) -> Line:
    running = sum(row.live for row in heading.rows)
    facts = f"  {len(heading.rows)} runs" + (f", {running} running" if running else "")
    return [("▾ ", "dim"), (heading.title, "bold"), (facts, "dim")]


def _run_line(row: Row, runs: RunList, columns: Sequence[TableColumn], now: float) -> Line:
    mark, _, style = appearance(row)
    flag = "▸" if row.id in runs.marks else "⌃" if row.pinned else " "
    line: Line = [(flag, "mark"), (mark + " ", style)]
    reason = _reason(row)
    for one in columns:
        if not reason or one not in NUMBERS:
            line += [_cell(row, one, runs, now), (" ", "")]
        elif one is PROGRESS:
            room = sum(c.size + 1 for c in columns if c in NUMBERS)
            reason_style = "dim" if row.open else style
            if width([(reason, "")]) >= room and not (row.tags or row.note):
                return [*line, (reason, reason_style)]
            line.append((column(reason, room - 1) + " ", reason_style))
    return [*line, (" ".join(row.tags), "dim"), (f"  {row.note}" if row.note else "", "dim")]


def _reason(row: Row) -> str:
    """Why a run waits or how it ended, shown in place of its numbers; empty for any other."""
    if row.state not in ("WAITING", "QUEUED", "FAILED", "KILLED", "LOST", OTHER):
        return ""
    step = f"at {numbers.brief(row.step)}/{numbers.brief(row.total)}: " if row.total and not row.open else ""
    reason = row.waits or row.reason
    return step + (reason.splitlines()[0] if reason else row.state.lower())


def _cell(row: Row, one: TableColumn, runs: RunList, now: float) -> tuple[str, str]:
    size = one.size
    if one is STATE:
        _, word, style = appearance(row)
        return column(word, size), style
    if one is STAGE:
        return column(row.stage, size), ""
    if one is SHORT_RUN:
        return column(row.name[-size:], size), "bold" if row.live else ""
    if one is RUN:
        return column(row.shortened(size), size), "bold" if row.live else ""
    if one is FOLDER:
        return column(row.folder, size), "dim"
    if one is AGE:
        return right(numbers.age(now - row.created), size), "dim"
    if one is EXPERIMENT:
        return column(row.experiment, size), ""
    if one is SEED:
        return right("" if row.seed is None else str(row.seed), size), "dim"
    if one is PROGRESS:
        return column(progress(row), size), ""
    if one is METRIC:
        return right(numbers.figure(row.score) if row.metric else "", size), "bold"
    if one is DELTA:
        return right(_difference(row, runs.best.get(row.peers)), size), "dim"
    if one is HEALTH:
        return column(_health(row), size), HEALTH_STYLES.get(row.level, "dim")
    if one is ETA:
        return right(numbers.duration(row.eta if row.open else row.wall), size), "" if row.open else "dim"
    if isinstance(one, VaryingColumn):
        return column(one.texts.get(row.id, ""), size), ""
    return column(row.git[:7] + "*" * row.dirty, size), "dim"


HEALTH_STYLES = {"warning": "warn", "error": "bad", "info": "ok", "": "ok"}


def progress(row: Row) -> str:
    """Steps of the total, or how much when the total is not known; of a finished run what its training took, and of
    an evaluation the model that its figure is of.
    """
    if row.state == "DONE" and row.model:
        return row.model
    if row.state == "DONE" and isinstance(row.facts.get("steps"), int):
        return f"{numbers.brief(row.facts['steps'])} steps"
    if not row.total:
        return numbers.brief(row.step) if row.step else ""
    return f"{numbers.brief(row.step)}/{numbers.brief(row.total)}"


def _difference(row: Row, best: Row | None) -> str:
    """The main metric minus that of the best run that it is comparable with."""
    if row.score is None or best is None or best.score is None or math.isnan(row.score):
        return ""
    return "=best" if best.id == row.id else numbers.signed(row.score - best.score)


def _health(row: Row) -> str:
    """The code of the worst fault; "ok" when none was noted and something was reported."""
    worst = [code for code, note in row.health.items() if note.get("level", "info") == row.level]
    if worst and row.level != "info":
        return worst[0]
    return "ok" if row.last else ""
