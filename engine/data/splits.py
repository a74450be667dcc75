"""Which events are trained on, which are held out. Pure index arithmetic over whole columns.

Letters: E events, U users, R rows. Events come sorted by user and, inside a user, by time; a row is a user and the
position of its target in the user's sequence; its history is everything before.

``leave-one-out``  last event test, the one before validation; users with less than three events are trained on only.
``users``          users in order of their first event: the first 80 % are trained on, the next 10 % give one validation
                   row each (their last event), the last 10 % one test row each (LLaRA, iLoRA; REFERENCE a.2).
``given``          the same, with the parts that the files name.
``temporal``       rows at positions min(window, n - 1) .. n - 1 of every user of n events, all rows in order of their
                   target's time: 80 % are trained on, 10 % validation, 10 % test (BIGRec, DLLM2Rec; REFERENCE a.2).
                   Training sequences are what lies before a user's first held-out row and not after the last training
                   target, so they also hold the positions before ``window``, from which BIGRec makes no rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.sequences import Rows, Sequences

TRAIN, VALIDATION, TEST = 0, 1, 2
BLOCK = 2_000_000  # events that are worked on at a time
SHARES = (0.8, 0.9)  # where training and where validation ends

Positions = tuple[NDArray[np.int64], NDArray[np.int64]]  # [R] users, [R] positions


@dataclass(frozen=True)
class Events:
    """All events, sorted."""

    items: NDArray[np.int32]  # [E] item ids
    offsets: NDArray[np.int64]  # [U + 1]
    time: NDArray[Any]  # [E]
    position: NDArray[Any]  # [E] position in the file, int32 or int64

    @property
    def lengths(self) -> NDArray[np.int64]:  # [U]
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Split:
    """Training sequences and held-out rows."""

    sequences: Sequences
    validation: Rows
    test: Rows


def leave_one_out(events: Events) -> Split:
    """The last event of every user is test, the one before validation."""
    length = events.lengths
    held = np.flatnonzero(length >= 3)
    trained = length.copy()
    trained[held] -= 2
    return _build(events, trained, (held, length[held] - 2), (held, length[held] - 1))


def by_user(events: Events, part: NDArray[np.int8] | None) -> Split:
    """Whole users are held out: those that ``part`` [U] names, or else the latest fifth."""
    length = events.lengths
    if part is None:
        some = np.flatnonzero(length)  # a user whose index is kept may have no event
        first = events.offsets[some]
        order = some[np.lexsort((events.position[first], events.time[first]))]  # by first event's time, ties by file
        part = np.full(len(length), TEST, dtype=np.int8)
        part[order[: int(SHARES[1] * len(order))]] = VALIDATION
        part[order[: int(SHARES[0] * len(order))]] = TRAIN
    rows = [np.flatnonzero((part == which) & (length >= 2)) for which in (VALIDATION, TEST)]
    validation, test = ((users, length[users] - 1) for users in rows)
    return _build(events, np.where(part == TRAIN, length, 0), validation, test)


def temporal(events: Events, window: int) -> Split:
    """The latest tenth of all rows is test, the tenth before validation."""
    length = events.lengths
    user = np.repeat(np.arange(len(length)), length)
    position = np.arange(len(user)) - events.offsets[user]
    rows = np.flatnonzero((position >= np.minimum(window, length - 1)[user]) & (position > 0))
    rows = rows[np.argsort(events.time[rows], kind="stable")]
    ends = [int(share * len(rows)) for share in SHARES]
    if ends[0] == 0:
        return _build(events, length, *((rows[:0], rows[:0]),) * 2)
    latest = events.time[rows[ends[0] - 1]]
    first_held = length.copy()
    np.minimum.at(first_held, user[rows[ends[0] :]], position[rows[ends[0] :]])
    past = (position < first_held[user]) & (events.time <= latest)
    trained = np.bincount(user[past], minlength=len(length))  # time does not fall inside a user: a prefix
    held = [np.sort(rows[ends[0] : ends[1]]), np.sort(rows[ends[1] :])]
    return _build(events, trained, *((user[part], position[part]) for part in held))


def histories(rows: Rows, latest: int | None = None) -> Sequences:
    """Every row's history without its target: whole, as each model cuts it by its own settings, or the latest items."""
    begin = rows.start if latest is None else np.maximum(rows.start, rows.stop - latest)
    lengths = rows.stop - begin
    offsets = _offsets(lengths)
    items = np.empty(offsets[-1], dtype=rows.items.dtype)
    for first, last in blocks(offsets):
        part, size = slice(offsets[first], offsets[last]), lengths[first:last]
        index = np.arange(offsets[first], offsets[last]) + np.repeat(begin[first:last] - offsets[first:last], size)
        items[part] = rows.items[index]
    return Sequences(items, offsets, rows.users)


def blocks(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:  # [U + 1]
    """Ranges of the stretches ``offsets[u]:offsets[u + 1]`` that are worked on at a time: it takes less memory."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _build(events: Events, trained: NDArray[np.int64], validation: Positions, test: Positions) -> Split:
    """trained [U]: how many first events of each user are trained on."""
    users = np.flatnonzero(trained)
    sequences = Sequences(_first(events, trained), _offsets(trained[users]), users)
    return Split(sequences, _rows(events, *validation), _rows(events, *test))


def _rows(events: Events, users: NDArray[np.int64], positions: NDArray[np.int64]) -> Rows:
    """Rows that share one copy of their user's events, which ends with the user's last target."""
    needed = np.zeros(len(events.offsets) - 1, dtype=np.int64)
    np.maximum.at(needed, users, positions + 1)
    start = _offsets(needed)[users]
    return Rows(_first(events, needed), start, start + positions, users)


def _first(events: Events, count: NDArray[np.int64]) -> NDArray[np.int32]:
    """The first ``count[u]`` items of every user, one after the other."""
    if np.array_equal(count, events.lengths):
        return events.items
    every = Rows(events.items, events.offsets[:-1], events.offsets[:-1] + count, np.arange(len(count)))
    return histories(every).items


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
