"""The table of runs: one line each, with the true state, how far it is, how good it is, and how it feels.

Columns appear as there is room for them; a run that cannot show numbers says why in their place.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cockpit.models.rows import Peers, Row
from cockpit.models.run_list import Entry, GroupHeading
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
}
UNKNOWN = ("?", "?", "warn")


@dataclass(frozen=True)
class TableColumn:
    """``need`` is the width of the table from which on the column is shown."""

    title: str
    size: int
    need: int


NARROW = 100  # below it a run is named by the end of its id, which `engine` takes as well
STATE, STAGE = TableColumn("state", 5, 0), TableColumn("stage", 9, 0)
RUN, SHORT_RUN = TableColumn("run", 18, NARROW), TableColumn("run ", 11, 0)
AGE, EXPERIMENT, SEED = TableColumn("age", 4, 100), TableColumn("experiment", 16, 110), TableColumn("seed", 4, 96)
PROGRESS, METRIC, DELTA = TableColumn("progress", 11, 0), TableColumn("metric", 7, 0), TableColumn("Δbest", 7, 0)
HEALTH, ETA, GIT = TableColumn("health", 7, 76), TableColumn("eta", 7, 0), TableColumn("git", 8, 150)
NUMBERS = (PROGRESS, METRIC, DELTA, HEALTH, ETA)
COLUMNS = (STATE, STAGE, RUN, SHORT_RUN, AGE, EXPERIMENT, SEED, *NUMBERS, GIT)


def render(
    entries: Sequence[Entry],
    cursor: int,
    top: int,
    marks: Sequence[str],
    best: Mapping[Peers, Row],
    now: float,
    across: int,
    down: int,
) -> Lines:
    """The heading and as many lines as fit, from entry ``top`` on."""
    columns = [place for place in COLUMNS if across >= place.need and not (place is SHORT_RUN and across >= NARROW)]
    lines: Lines = [_heading(columns)]
    for index in range(top, min(len(entries), top + down - 1)):
        entry = entries[index]
        line = _head(entry) if isinstance(entry, GroupHeading) else _row(entry, columns, entry.id in marks, best, now)
        if index == cursor:
            line = selected(line, across)
        lines.append(line)
    return block(lines, across, down)


def glyph(row: Row) -> tuple[str, str]:
    """A run's state as one glyph with its style."""
    mark, _, style = STATES.get(row.state, UNKNOWN)
    return mark, style


def _heading(columns: Sequence[TableColumn]) -> Line:
    return [("   ", "dim"), *[(column(c.title, c.size) + " ", "dim") for c in columns], ("tags", "dim")]


def _head(head: GroupHeading) -> Line:
    working = sum(row.live for row in head.rows)
    facts = f"  {len(head.rows)} runs" + (f", {working} running" if working else "")
    return [("▾ ", "dim"), (head.title, "bold"), (facts, "dim")]


def _row(row: Row, columns: Sequence[TableColumn], marked: bool, best: Mapping[Peers, Row], now: float) -> Line:
    mark, word, style = STATES.get(row.state, UNKNOWN)
    flags: Line = [("▸" if marked else "⌃" if row.pinned else " ", "mark"), (mark + " ", style)]
    cells: Line = []
    told = _told(row)
    for place in columns:
        if told and place in NUMBERS:
            if place is PROGRESS:
                room = sum(c.size + 1 for c in columns if c in NUMBERS)
                look = style if not row.open else "dim"
                if width([(told, "")]) >= room and not (row.tags or row.note):  # nothing follows that is worth more
                    return [*flags, *cells, (told, look)]
                cells.append((column(told, room - 1) + " ", look))
            continue
        text, look = _cell(row, place, word, style, best, now)
        cells += [(text, look), (" ", "")]
    return [*flags, *cells, (" ".join(row.tags), "dim"), (f"  {row.note}" if row.note else "", "dim")]


def _told(row: Row) -> str:
    """What stands where the numbers would: why it waits, how it ended; empty when the numbers say enough."""
    if row.state in ("WAITING", "QUEUED", "FAILED", "KILLED", "LOST"):
        where = f"at {numbers.brief(row.step)}/{numbers.brief(row.total)}: " if row.total and not row.open else ""
        reason = row.waits or row.reason
        return where + (reason.splitlines()[0] if reason else row.state.lower())
    return ""


def _cell(
    row: Row, place: TableColumn, word: str, style: str, best: Mapping[Peers, Row], now: float
) -> tuple[str, str]:
    match place.title:
        case "state":
            return column(word, place.size), style
        case "stage":
            return column(row.stage, place.size), ""
        case "run ":
            return column(row.name[-place.size :], place.size), "bold" if row.live else ""
        case "run":
            return column(row.name, place.size), "bold" if row.live else ""
        case "age":
            return right(numbers.age(now - row.created), place.size), "dim"
        case "experiment":
            return column(row.experiment, place.size), ""
        case "seed":
            return right("" if row.seed is None else str(row.seed), place.size), "dim"
        case "progress":
            return column(progress(row), place.size), ""
        case "metric":
            return right(numbers.figure(row.score) if row.metric else "", place.size), "bold"
        case "Δbest":
            return right(*_distance(row, best, place.size)), "dim"
        case "health":
            return column(*_health(row, place.size)), _LOOKS.get(row.level, "dim")
        case "eta":
            return right(numbers.duration(row.eta if row.open else row.wall), place.size), "" if row.open else "dim"
        case _:
            return column(row.git[:7] + ("*" if row.dirty else ""), place.size), "dim"


_LOOKS = {"warning": "warn", "error": "bad", "info": "ok", "": "ok"}


def progress(row: Row) -> str:
    """Steps of the total, or how much when the total is not known; of a finished run what its training took."""
    if row.state == "DONE" and isinstance(row.facts.get("steps"), int):
        return f"{numbers.brief(row.facts['steps'])} steps"
    if not row.total:
        return numbers.brief(row.step) if row.step else ""
    return f"{numbers.brief(row.step)}/{numbers.brief(row.total)}"


def _distance(row: Row, best: Mapping[Peers, Row], size: int) -> tuple[str, int]:
    top = best.get(row.peers)
    if row.score is None or top is None or top.score is None or math.isnan(row.score):
        return "", size
    if top.id == row.id:
        return "=best", size
    return numbers.signed(row.score - top.score), size


def _health(row: Row, size: int) -> tuple[str, int]:
    """The gravest fault, by its code; "ok" when none was noted and there was something to note."""
    grave = [code for code, note in row.health.items() if note.get("level", "info") == row.level]
    if grave and row.level != "info":
        return grave[0], size
    return ("ok" if row.last else ""), size
