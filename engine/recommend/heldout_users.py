"""Held-out rows of users: the history, and the item that came next.

An evaluation gives its test rows, which only an evaluation may open; any other run gives its validation rows.
Letters: R rows, n items.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.catalogue import column
from engine.data.sequences import Rows
from engine.errors import DataError
from engine.recommend.lineage import made
from engine.runs.run_files import RunFiles
from engine.runs.text import clean
from engine.stages import TEST, USERS, VALIDATION


@dataclass(frozen=True)
class HeldOutUsers:
    """Row r belongs to the user ``raw[rows.users[r]]``; a user may have several rows."""

    split: str  # "test" or "validation"
    rows: Rows
    raw: list[str]  # of every user index, as the data has it

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        """The raw id of a row's user, safe to show."""
        return clean(self.raw[int(self.rows.users[row])], 80)

    def history(self, row: int) -> NDArray[np.int32]:
        """Item ids, oldest first."""
        return self.rows.items[int(self.rows.start[row]) : int(self.rows.stop[row])]

    def next(self, row: int) -> int:
        """The item that came after the history."""
        return int(self.rows.targets[row])

    def find(self, raw: str) -> int:
        """The latest row of a user. DataError where there is none."""
        user = self.raw.index(raw) if raw in self.raw else None
        found = np.flatnonzero(self.rows.users == user) if user is not None else np.zeros(0, dtype=np.int64)
        if len(found):
            return int(found[-1])
        near = difflib.get_close_matches(raw, [self.raw[int(user)] for user in self.rows.users[:20_000]], 3, 0.3)
        some = near or [self.name(row) for row in range(min(3, len(self)))]
        raise DataError(
            f"no {self.split} row is of a user '{clean(raw, 80)}'",
            location="--user",
            remedy=f"There are for example: {', '.join(clean(name, 80) for name in some)}",
        )

    def search(self, text: str) -> Iterator[int]:
        """Rows whose user's id begins with the text, then those in whose id it stands elsewhere; all for no text."""
        users = self.rows.users.tolist()
        if not text:
            yield from range(len(users))
            return
        positions = [self.raw[user].find(text) for user in users]
        yield from (row for row, position in enumerate(positions) if position == 0)
        yield from (row for row, position in enumerate(positions) if position > 0)


def held_out(folder: Path, runs: dict[str, Path]) -> HeldOutUsers:
    """The held-out rows that the run at ``folder`` may read; ``runs`` is its lineage."""
    run = RunFiles(folder)  # opens what the run's own stage declared, and nothing else
    tested = TEST in run.stage.needs
    rows = Rows.load(run.input(TEST if tested else VALIDATION))
    return HeldOutUsers("test" if tested else "validation", rows, column(made(runs, USERS), "raw"))
