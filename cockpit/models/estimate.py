"""What a start would cost, told by earlier runs of the same stages: time, and room on the disk.

A rule of thumb and shown as one: other settings take other times. Runs on the same data count before all others.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from cockpit.models.rows import Row

LATEST = 5  # runs of a stage that are asked


@dataclass(frozen=True)
class Estimate:
    """Seconds of work (middle, least and most) and bytes; ``unknown`` are stages that never ran to their end here."""

    seconds: float
    least: float
    most: float
    bytes: float
    based_on: int  # earlier runs
    unknown: tuple[str, ...]


def estimate(new: Mapping[str, int], rows: Iterable[Row], data: str, size: Callable[[str], int]) -> Estimate:
    """``new``: stage -> how many runs of it would be made; ``data``: the data run they would use, if it is known;
    ``size``: bytes of a run's folder."""
    rows = list(rows)
    seconds = least = most = room = 0.0
    based_on, unknown = 0, []
    for stage, count in new.items():
        runs = _alike(stage, rows, data)
        if not runs:
            unknown.append(stage)
            continue
        walls = [row.wall or 0.0 for row in runs]
        seconds += count * median(walls)
        least += count * min(walls)
        most += count * max(walls)
        room += count * median(size(row.id) for row in runs)
        based_on += len(runs)
    return Estimate(seconds, least, most, room, based_on, tuple(unknown))


def _alike(stage: str, rows: Iterable[Row], data: str) -> list[Row]:
    """The latest finished runs of a stage, on the same data where there are any, that were done in one go."""
    done = [row for row in rows if row.stage == stage and row.state == "DONE" and row.wall and row.attempt == 1]
    done.sort(key=lambda row: row.created, reverse=True)
    same = [row for row in done if data and row.inputs.get("data") == data]
    return (same or done)[:LATEST]
