"""The queue as the screen describes it: the reason of a row in short names, and the runs that depend on another."""

from collections.abc import Mapping

from cockpit.models.rows import Row
from engine.jobs.queue_rows import QueueRow

WAITS = ("WAITING", "QUEUED")


def why(line: QueueRow[Row]) -> str:
    """What a run does, or what keeps it from working."""
    if line.run.live:
        return line.reason or line.run.phase or "starting"
    return "paused: p lets it go on" if line.paused else line.reason


def short(row: Row) -> str:
    """A run in a sentence: its stage and the end of its id."""
    return f"{row.stage} {row.id[-4:]}"


def dependents(run: str, rows: Mapping[str, Row]) -> list[Row]:
    """The waiting runs that need this one, directly or through others."""
    found: dict[str, Row] = {}
    left = [run]
    while left:
        one = left.pop()
        new = [
            row for row in rows.values() if one in row.inputs.values() and row.state in WAITS and row.id not in found
        ]
        found |= {row.id: row for row in new}
        left += [row.id for row in new]
    return list(found.values())
