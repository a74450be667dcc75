"""The board of an experiment as a table that can be sorted: a line per setting, or per run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.wire import Board, BoardRow, Spread

SEED, TIME, MEMORY = "seeds", "time", "memory"  # columns besides settings and metrics


@dataclass(frozen=True)
class BoardLine:
    """A line of the table. ``figures``: metric -> spread over its runs; of a line for one run a value without sd."""

    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    states: tuple[str, ...]
    values: tuple[Any, ...]  # of the settings
    figures: dict[str, Spread]
    seconds: float | None
    memory: int | None
    best: bool

    @property
    def finished(self) -> bool:
        return any(figure.mean is not None for figure in self.figures.values())


def lines(board: Board, single: bool) -> list[BoardLine]:
    """A line per setting, or with ``single`` a line per run."""
    found = []
    for index, row in enumerate(board.rows):
        best = index == board.best
        found += _of_runs(board, row, best) if single else [_of_setting(row, best)]
    return found


def _of_setting(row: BoardRow, best: bool) -> BoardLine:
    runs = row.runs
    ids, seeds, states = ([getattr(run, name) for run in runs] for name in ("id", "seed", "state"))
    whole = tuple(ids), tuple(seeds), tuple(states), tuple(row.values)
    return BoardLine(*whole, row.figures, row.seconds, row.memory, best)


def _of_runs(board: Board, row: BoardRow, best: bool) -> list[BoardLine]:
    found = []
    for run in row.runs:
        values = {name: row.value(run, name) for name in row.figures}
        figures = {name: Spread(value, None, 1, [value]) for name, value in values.items()}
        identity = (run.id,), (run.seed,), (run.state,), tuple(row.values)
        found.append(BoardLine(*identity, figures, run.seconds, run.memory, best))
    return found


def columns(board: Board) -> list[str]:
    """What the lines can be sorted by: the settings by their dotted names, metrics, seeds, time, memory."""
    return [SEED, *board.settings, *(metric.name for metric in board.metrics), TIME, MEMORY]


def ordered(board: Board, found: Sequence[BoardLine], column: str, reverse: bool) -> list[BoardLine]:
    """The lines by a column: metrics best first, all else ascending; ``reverse`` the other way. Unknown ones last."""
    goals = {metric.name: metric.goal for metric in board.metrics}
    down = (goals.get(column) == "max") != reverse
    keyed = [(_key(board, line, column), line) for line in found]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: _comparable(pair[0]), reverse=down)
    return [line for _, line in known] + [line for key, line in keyed if key is None]


def _key(board: Board, line: BoardLine, column: str) -> Any:
    if column in board.settings:
        return line.values[board.settings.index(column)]
    if column in (TIME, MEMORY):
        return line.seconds if column == TIME else line.memory
    if column == SEED:
        return min(line.seeds)
    figure = line.figures.get(column)
    mean = figure.mean if figure else None
    return None if mean is None or math.isnan(mean) else mean


def _comparable(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts, each in their order."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return not number, float(value) if number else 0.0, "" if number else str(value)


def position(values: Sequence[Any]) -> list[float]:
    """Values of a setting on an axis, 0..1: numbers by their size (by their logarithm over a wide range), else by rank.

    A missing number has no position.
    """
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) == len([value for value in values if value is not None]) and numbers:
        low, high = min(numbers), max(numbers)
        if high <= low:
            return [math.nan if value is None else 0.5 for value in values]
        if low > 0 and high >= 50 * low:
            values = [None if value is None else math.log(value) for value in values]
            low, high = math.log(low), math.log(high)
        return [math.nan if value is None else (value - low) / (high - low) for value in values]
    kinds = sorted({repr(value) for value in values})
    return [kinds.index(repr(value)) / max(len(kinds) - 1, 1) if len(kinds) > 1 else 0.5 for value in values]
