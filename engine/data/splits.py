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

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.sequences import BLOCK, Rows
from engine.data.stretches import blocks

TRAIN, VALIDATION, TEST = 0, 1, 2
SHARES = (0.8, 0.9)  # where training and where validation ends

Positions = tuple[NDArray[np.int64], NDArray[np.int64]]  # [R] users, [R] positions


@dataclass(frozen=True)
class Events:
    """All events, sorted."""

    items: NDArray[np.int32]  # [E] item ids
    offsets: NDArray[np.int64]  # [U + 1]
    time: NDArray[Any] | None  # [E] of any unit and origin; None: the order of the file counts
    position: NDArray[Any] | None = None  # [E] position in the file; None where the split does not ask for it

    @property
    def lengths(self) -> NDArray[np.int64]:  # [U]
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out: stretches of the same events, so that nothing is copied."""

    trained: Rows  # the histories are the training sequences; their ``stop`` is no target
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
        assert events.position is not None
        some = np.flatnonzero(length)  # a user whose index is kept may have no event
        first = events.offsets[some]
        keys = [events.position[first]] + ([] if events.time is None else [events.time[first]])
        order = some[np.lexsort(keys)]  # by first event's time, ties by file
        part = np.full(len(length), TEST, dtype=np.int8)
        part[order[: int(SHARES[1] * len(order))]] = VALIDATION
        part[order[: int(SHARES[0] * len(order))]] = TRAIN
    rows = [np.flatnonzero((part == which) & (length >= 2)) for which in (VALIDATION, TEST)]
    validation, test = ((users, length[users] - 1) for users in rows)
    return _build(events, np.where(part == TRAIN, length, 0), validation, test)


def temporal(events: Events, window: int) -> Split:
    """The latest tenth of all rows is test, the tenth before validation. Times do not fall inside a user."""
    assert events.time is not None
    length = events.lengths
    first = np.maximum(np.minimum(window, length - 1), 1)  # [U] position of each user's first row
    count = int(np.maximum(length - first, 0).sum())
    ends = [int(share * count) for share in SHARES]
    if ends[0] == 0:
        none = np.zeros(0, dtype=np.int64)
        return _build(events, length, (none, none), (none, none))
    cuts = _cuts(events, first, count, ends)
    trained, held, before = length.copy(), [list[Positions](), list[Positions]()], [0, 0]
    for start, stop in blocks(events.offsets, BLOCK):
        user, position, here = _positions(events, start, stop)
        trained[start:stop] = np.bincount(user[here <= cuts[0][0]] - start, minlength=stop - start)
        row = position >= first[user]
        user, position, here = user[row], position[row], here[row]
        late = []  # is each row behind the end of training, and of validation?
        for number, (latest, ties) in enumerate(cuts):
            tied = here == latest
            late.append((here > latest) | (tied & (np.cumsum(tied) + before[number] > ties)))
            before[number] += int(tied.sum())
        np.minimum.at(trained, user[late[0]], position[late[0]])
        for rows, chosen in zip(held, (late[0] & ~late[1], late[1]), strict=True):
            rows.append((user[chosen], position[chosen]))
    return _build(events, trained, *(_joined(rows) for rows in held))


def _positions(events: Events, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """User, position and time of every event of the users ``start`` to ``stop``."""
    assert events.time is not None
    begin, end = events.offsets[start], events.offsets[stop]
    user = np.repeat(np.arange(start, stop), np.diff(events.offsets[start : stop + 1]))
    return user, np.arange(begin, end) - events.offsets[user], events.time[begin:end]


def _cuts(events: Events, first: NDArray[np.int64], count: int, ends: list[int]) -> list[tuple[Any, int]]:
    """The time of the last row before each end, in order of time, and how many rows of that time lie before it."""
    assert events.time is not None
    times, filled = np.empty(count, dtype=events.time.dtype), 0
    for start, stop in blocks(events.offsets, BLOCK):
        user, position, here = _positions(events, start, stop)
        here = here[position >= first[user]]
        times[filled : filled + len(here)] = here
        filled += len(here)
    times.partition([end - 1 for end in ends])
    return [(times[end - 1], int((times[:end] == times[end - 1]).sum())) for end in ends]


def _joined(parts: list[Positions]) -> Positions:
    users, positions = (np.concatenate(part) for part in zip(*parts, strict=True))
    return users, positions


def _build(events: Events, trained: NDArray[np.int64], validation: Positions, test: Positions) -> Split:
    """trained [U]: how many first events of each user are trained on."""
    users = np.flatnonzero(trained)
    return Split(*(_rows(events, *part) for part in ((users, trained[users]), validation, test)))


def _rows(events: Events, users: NDArray[np.int64], positions: NDArray[np.int64]) -> Rows:
    start = events.offsets[users]
    return Rows(events.items, start, start + positions, users)
