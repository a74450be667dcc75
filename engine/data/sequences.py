"""Interactions as flat arrays: the form in which every stage after ``data`` reads them, mapped from their files.

Letters: E events, U users, R rows. Item ids are indices (``engine.data.ids``).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import array_file
from engine.data.ids import PADDING

BLOCK = 2_000_000  # events that are worked on at a time: it takes less memory


@dataclass(frozen=True)
class Sequences:
    """Training sequences: user ``users[u]`` did ``items[offsets[u]:offsets[u + 1]]``, oldest first."""

    items: NDArray[np.int32]  # [E] item ids
    offsets: NDArray[np.int64]  # [U + 1]
    users: NDArray[np.int64]  # [U] index into the users table

    def __len__(self) -> int:
        return len(self.users)

    def counts(self, rows: int) -> NDArray[np.int64]:  # -> [rows]
        """How often each item occurs."""
        found = np.zeros(rows, dtype=np.int64)
        for begin in range(0, len(self.items), BLOCK):
            found += np.bincount(self.items[begin : begin + BLOCK], minlength=rows)
        return found

    def save(self, path: Path) -> None:
        array_file.write(path, {"items": self.items, "offsets": self.offsets, "users": self.users})

    @classmethod
    def load(cls, path: Path) -> "Sequences":
        return cls(**array_file.mapped(path))


@dataclass(frozen=True)
class Rows:
    """Held-out rows: row r's history is ``items[start[r]:stop[r]]``, oldest first; its target is ``items[stop[r]]``."""

    items: NDArray[np.int32]  # [E] item ids; several rows may share a stretch
    start: NDArray[np.int64]  # [R]
    stop: NDArray[np.int64]  # [R]
    users: NDArray[np.int64]  # [R] index into the users table

    def __len__(self) -> int:
        return len(self.users)

    @property
    def targets(self) -> NDArray[np.int32]:  # [R] item ids
        return self.items[self.stop]

    def some(self, chosen: NDArray[np.int64]) -> "Rows":
        """The rows at these indices."""
        return Rows(self.items, self.start[chosen], self.stop[chosen], self.users[chosen])

    def latest(self, count: int) -> NDArray[np.int32]:  # -> [R, count] item ids
        """The last ``count`` items of every history, oldest first, padded on the left."""
        index = self.stop[:, None] - np.arange(count, 0, -1)
        return np.where(index >= self.start[:, None], self.items[np.maximum(index, 0)], np.int32(PADDING))

    def save(self, path: Path) -> None:
        array_file.write(path, {"items": self.items, "start": self.start, "stop": self.stop, "users": self.users})

    @classmethod
    def load(cls, path: Path) -> "Rows":
        return cls(**array_file.mapped(path))
