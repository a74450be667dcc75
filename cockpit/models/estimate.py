"""The time and the disk space that a start would take, estimated from earlier runs of the same stages.

A rough estimate: other settings take other times. Runs on the same data are preferred.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from cockpit.models.rows import Row

LATEST = 5  # runs of a stage that the estimate is based on


@dataclass(frozen=True)
class Estimate:
    """Seconds of work (sum of medians, minima and maxima) and bytes; ``unknown``: stages without a finished run."""

    seconds: float
    least: float
    most: float
    bytes: float
    based_on: int  # number of earlier runs
    unknown: tuple[str, ...]


def estimate(new: Mapping[str, int], rows: Iterable[Row], data: str, size: Callable[[str], int]) -> Estimate:
    """``new``: stage -> how many runs of it would be made; ``data``: the data run they would use, if it is known;
    ``size``: bytes of a run's folder."""
    rows = list(rows)
    seconds = least = most = space = 0.0
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
        space += count * median(size(row.id) for row in runs)
        based_on += len(runs)
    return Estimate(seconds, least, most, space, based_on, tuple(unknown))


def _alike(stage: str, rows: Iterable[Row], data: str) -> list[Row]:
    """The latest runs of a stage that finished in their first attempt; those on the same data where there are any."""
    done = [row for row in rows if row.stage == stage and row.state == "DONE" and row.wall and row.attempt == 1]
    done.sort(key=lambda row: row.created, reverse=True)
    same = [row for row in done if data and row.inputs.get("data") == data]
    return (same or done)[:LATEST]
