"""Training rows as DLLM2Rec writes them: the latest ten items before an event, and the event's item, ids from 0.

Rows are matched by their content, so files may hold them in any order, or only some of them.
Letters: R rows, L lines of a file, E events.
"""

import csv
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Sequences
from engine.errors import DataError
from engine.knowledge.folder import ROWS

LENGTH = 10  # items of a window
COLUMNS = ("seq", "len_seq", "next")
Ints = NDArray[np.int64]


def predicted_events(sequences: Sequences) -> Ints:
    """Index in ``sequences.items`` of every event that has one before it: the training rows of a teacher. [R]"""
    return np.setdiff1d(np.arange(len(sequences.items)), sequences.offsets[:-1])


def windows(sequences: Sequences, rows: Ints) -> Ints:  # [R] -> [R, 11] item ids
    """Up to ten items before each event, oldest first and padded on the right, then the event's own."""
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))[rows]
    start = np.maximum(first, rows - LENGTH)
    index = start[:, None] + np.arange(LENGTH)
    shown = np.where(index < rows[:, None], sequences.items[np.minimum(index, rows[:, None])], ids.PADDING)
    return np.concatenate([shown, sequences.items[rows][:, None]], axis=1).astype(np.int64)


def write(path: Path, found: Ints, items: int) -> None:  # [R, 11]
    """One line a row: seq, len_seq, next. ``seq`` is padded with the number of items, as published."""
    histories, targets = found[:, :LENGTH], found[:, LENGTH]
    real = histories != ids.PADDING
    seq = np.full(histories.shape, items)
    seq[real] = ids.to_zero_based(histories[real])
    following = ids.to_zero_based(targets)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for row, length, target in zip(seq.tolist(), real.sum(axis=1).tolist(), following.tolist(), strict=True):
            lines.writerow((json.dumps(row), max(1, length), target))


def read(path: Path, items: int) -> Ints:  # -> [L, 11] item ids
    """The rows of such a file; other columns are ignored. DataError names the first invalid line."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        if not set(COLUMNS) <= set(lines.fieldnames or ()):
            raise DataError(f"its columns are not {', '.join(COLUMNS)}", location=str(path), remedy="Name them so.")
        for line in lines:
            try:
                row = [*json.loads(line["seq"]), float(line["next"])]
                window = [int(entry) for entry in row]
                fits = len(row) == LENGTH + 1 and window == row and min(row) >= 0 and max(row) <= items > row[-1]
            except (TypeError, ValueError, OverflowError, RecursionError):
                fits = False
            if not fits:
                raise DataError(
                    f"this is not {LENGTH} ids from 0 to {items} (which pads) and a target below {items}",
                    location=f"{path}:{lines.line_num}",
                    remedy="Write seq as [3, 17, ...], padded on the right, and next as an id.",
                )
            found.append(window)
    given = np.asarray(found, dtype=np.int64).reshape(-1, LENGTH + 1)
    return ids.from_zero_based(given, padding=items).astype(np.int64)


def match_lines(own: Ints, given: Ints, path: Path) -> Ints:  # [R, 11], [L, 11] -> [R] line of each row, -1 where none
    """The line of each row in a file. A line with an empty history is ignored; DataError for a line that is no row."""
    _, kind = np.unique(np.concatenate([own, given]), axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    ours, theirs = kind[: len(own)], kind[len(own) :]
    strange = np.flatnonzero(~np.isin(theirs, ours) & (given[:, 0] != ids.PADDING))
    if len(strange):
        raise DataError(
            f"{len(strange)} of {len(given)} lines match no training row, the first of them line {strange[0] + 1}",
            location=str(path),
            remedy=f"Its data are prepared or numbered differently: engine export DATA-RUN --to DIR writes the {ROWS} "
            "of these data.",
        )
    line = np.full(int(kind.max(initial=0)) + 1, -1)
    line[theirs[::-1]] = np.arange(len(given))[::-1]  # of equal rows the first line counts
    return line[ours]
