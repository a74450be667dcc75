"""The time and the disk space that a start would take, estimated from earlier runs of the same stages.

A rough estimate: other settings take other times. Runs on the same data are preferred.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from cockpit.models.rows import Row

LATEST = 5  # runs of a stage that the estimate is based on
STOPPED_EARLY = 0.99  # share of the planned epochs below which patience ended a run


@dataclass(frozen=True)
class Estimate:
    """Seconds of work (sum of medians, minima and maxima) and bytes; ``unknown``: stages without a finished run."""

    seconds: float
    least: float
    most: float
    bytes: float
    based_on: int  # number of earlier runs
    unknown: tuple[str, ...]


def estimate(
    new: Mapping[str, int],
    rows: Iterable[Row],
    data: str,
    size: Callable[[str], int],
    epochs: Mapping[str, float] | None = None,
    config: Callable[[Row], Mapping[str, Any]] = lambda row: {},
) -> Estimate:
    """``new``: stage -> how many runs of it would be made; ``data``: the data run they would use, if it is known;
    ``size``: bytes of a run's folder; ``epochs``: stage -> passes over the data, on average over the new runs;
    ``config``: the settings of an earlier run."""
    rows = list(rows)
    seconds = least = most = space = 0.0
    based_on, unknown = 0, []
    for stage, count in new.items():
        runs = _alike(stage, rows, data)
        if not runs:
            unknown.append(stage)
            continue
        walls = [(row.wall or 0.0) * _longer(row, (epochs or {}).get(stage), config) for row in runs]
        seconds += count * median(walls)
        least += count * min(walls)
        most += count * max(walls)
        space += count * median(size(row.id) for row in runs)
        based_on += len(runs)
    return Estimate(seconds, least, most, space, based_on, tuple(unknown))


def epochs_of(settings: Mapping[str, Any], stage: str) -> float | None:
    """The most passes over the data of a training stage."""
    found = [value for key, value in settings.items() if key.startswith(stage + ".") and key.endswith(".epochs")]
    return float(found[0]) if len(found) == 1 and isinstance(found[0], int | float) and found[0] > 0 else None


def _longer(row: Row, epochs: float | None, config: Callable[[Row], Mapping[str, Any]]) -> float:
    """By what factor a run with so many epochs takes longer than an earlier one.

    One that stopped early, out of patience, is expected to stop there again.
    """
    planned = epochs_of(config(row), row.stage) if epochs else None
    if epochs is None or planned is None:
        return 1.0
    done = min(row.epoch or planned, planned)
    return (min(epochs, done) if done < STOPPED_EARLY * planned else epochs) / done


def _alike(stage: str, rows: Iterable[Row], data: str) -> list[Row]:
    """The latest runs of a stage that finished in their first attempt; those on the same data where there are any."""
    done = [row for row in rows if row.stage == stage and row.state == "DONE" and row.wall and row.attempt == 1]
    done.sort(key=lambda row: row.created, reverse=True)
    same = [row for row in done if data and row.inputs.get("data") == data]
    return (same or done)[:LATEST]
