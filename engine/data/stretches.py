"""Stretches of a flat array, one after the other: how rows that share the events of all users become arrays and files.

Held-out rows and the training sequences are stretches of the same sorted events; what is written holds its own events
alone, and is made block by block. Letters: E events, S stretches, R rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import array_file
from engine.data.array_file import Blocks
from engine.data.sequences import BLOCK, Rows, Sequences


def blocks(offsets: NDArray[np.int64], size: int) -> Iterator[tuple[int, int]]:  # [S + 1]
    """Ranges of the stretches ``offsets[s]:offsets[s + 1]`` that are worked on at a time: it takes less memory."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + size, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:  # [S] -> [S + 1]
    """Where stretches of these lengths begin and end, one after the other."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def gathered(values: NDArray[Any], begin: NDArray[np.int64], offsets: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """The stretches that start at ``begin`` [S] of ``values`` [E], one after the other, in blocks."""
    for first, last in blocks(offsets, BLOCK):
        lengths = np.diff(offsets[first : last + 1])
        shift = np.repeat(begin[first:last] - offsets[first:last], lengths)
        yield values[np.arange(offsets[first], offsets[last]) + shift]


def histories(rows: Rows, latest: int | None = None) -> Sequences:
    """Every row's history without its target: whole, as each model cuts it by its own settings, or the latest items."""
    begin = rows.start if latest is None else np.maximum(rows.start, rows.stop - latest)
    offsets = offsets_of(rows.stop - begin)
    parts = list(gathered(rows.items, begin, offsets))
    return Sequences(np.concatenate(parts) if parts else rows.items[:0], offsets, rows.users)


def counts(rows: Rows, size: int) -> NDArray[np.int64]:  # -> [size]
    """How often each item occurs in the histories; a row counts its own, also where another row shares it."""
    found = np.zeros(size, dtype=np.int64)
    for block in gathered(rows.items, rows.start, offsets_of(rows.stop - rows.start)):
        found += np.bincount(block, minlength=size)
    return found


def write_histories(path: Path, rows: Rows) -> None:
    """The file of ``histories(rows)``, without a copy of it in memory."""
    offsets = offsets_of(rows.stop - rows.start)
    items = Blocks(rows.items.dtype, int(offsets[-1]), gathered(rows.items, rows.start, offsets))
    array_file.write(path, {"items": items, "offsets": offsets, "users": rows.users})


def write_rows(path: Path, rows: Rows) -> None:
    """A file of the same rows whose events end with the last target of each stretch: no later one is in it."""
    begin, stretch = np.unique(rows.start, return_inverse=True)
    end = begin.copy()
    np.maximum.at(end, stretch, rows.stop + 1)
    offsets = offsets_of(end - begin)
    items = Blocks(rows.items.dtype, int(offsets[-1]), gathered(rows.items, begin, offsets))
    start = offsets[stretch]
    array_file.write(
        path, {"items": items, "start": start, "stop": start + rows.stop - rows.start, "users": rows.users}
    )
