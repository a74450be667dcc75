"""Events in order: by user, inside a user by time, ties by position in the file.

Each event's index among the sorted ones is counted, not sorted, so that columns are moved one after the other and give
their memory back. Letters: E events of the file, K events that are kept, U users, N codes of items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.filters import occurrences
from engine.data.interactions import Interactions
from engine.data.sequences import BLOCK
from engine.data.splits import Events
from engine.data.stretches import blocks, offsets_of

SOME = 1 << 17  # events whose sort keys stay in the processor's cache
DIGIT = 16  # bits that are sorted at a time: NumPy counts them instead of comparing
UNITS = (1, 1_000, 1_000_000)  # of times in seconds, milliseconds and microseconds that are whole seconds, say


@dataclass(frozen=True)
class RepeatedEvents:
    """Events that say user, item and time of an earlier one."""

    count: int
    user: int  # index of the first one's user, and its item's id
    item: int


def ordered(
    interactions: Interactions,
    kept: NDArray[np.bool_],
    user_index: NDArray[np.int32],
    item_ids: NDArray[np.int32],
    users: int,
    duplicates: str,
    positions: bool,
    release: bool,
) -> tuple[Events, RepeatedEvents]:
    """The ``kept`` events [E] by user and time, with repeats as ``duplicates`` (keep, first, error) says.

    user_index and item_ids by code. ``positions``: with those in the file. ``release``: columns are given up once they
    are moved. RepeatedEvents are looked for where they are not kept.
    """
    counted = np.zeros(users, dtype=np.int64)
    by_code = occurrences(interactions.user, kept, len(user_index))
    counted[user_index[by_code > 0]] = by_code[by_code > 0]
    offsets = offsets_of(counted)
    user = interactions.user
    into = user if release and user.flags.writeable and len(user) <= np.iinfo(np.int32).max else None
    index = _indices(user, kept, user_index, offsets, into)
    del user, into
    if release:
        interactions.release("user")
    items = _moved(index, int(offsets[-1]), interactions.item, item_ids.dtype, lambda code: item_ids[code])
    if release:
        interactions.release("item")
    time = None
    if interactions.time is not None:
        time = _moved(index, int(offsets[-1]), interactions.time, interactions.time.dtype)
    if release:
        interactions.release("time")
    position = _moved(index, int(offsets[-1]), np.arange(0), index.dtype) if positions else None
    del index
    return _by_time(Events(items, offsets, time, position), duplicates)


def narrowed(time: NDArray[Any], release: bool) -> NDArray[Any]:
    """Times [E] in the same order and with the same ties, from 0 and of 32 bits where their unit lets them be.

    ``release``: the result may take the memory of ``time``, which then gives half of it back.
    """
    if time.dtype != np.int64 or not len(time):
        return time
    low, span = int(time.min()), int(time.max()) - int(time.min())
    unit = next((unit for unit in UNITS if span // unit <= np.iinfo(np.int32).max and _whole(time, low, unit)), None)
    if unit is None:
        return time
    own = release and time.flags.writeable and time.flags.owndata
    result = time.view(np.int32) if own else np.empty(len(time), dtype=np.int32)
    for begin in range(0, len(time), BLOCK):  # a block is written where events were that have been read
        part = (time[begin : begin + BLOCK] - low) // unit
        result[begin : begin + len(part)] = part
    if not own:
        return result
    count = len(time)
    del result
    time.resize((count + 1) // 2, refcheck=False)
    return time.view(np.int32)[:count]


def order_of(user: NDArray[Any], time: NDArray[Any] | None) -> NDArray[np.int64]:  # [K], [K] -> [K]
    """Positions by user, inside a user by time, ties by position: a stable sort."""
    if time is not None and time.dtype.kind == "f":
        return np.lexsort((time, user))
    order = np.arange(len(user))
    for column in (user,) if time is None else (time, user):
        order = _stably(column, order)
    return order


def repeats(user: NDArray[np.int32], item: NDArray[np.int32], time: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the sorted events [K] repeat user, item and time of an earlier one."""
    same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    result = np.zeros(len(user), dtype=bool)
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))  # only these can be repeats
    group = np.cumsum(np.append(True, ~same))[tied] if len(user) else tied
    order = np.lexsort((tied, item[tied], group))
    tied, group = tied[order], group[order]
    result[tied[1:]] = (group[1:] == group[:-1]) & (item[tied[1:]] == item[tied[:-1]])
    return result


def _stably(column: NDArray[Any], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """``order`` sorted by whole numbers, equal ones as they were."""
    if not len(column):
        return order
    low = int(column.min())
    rest = (column.astype(np.int64) - low).astype(np.uint64)
    for shift in range(0, (int(column.max()) - low).bit_length(), DIGIT):
        digit = (rest >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _indices(
    user: NDArray[np.int32],
    kept: NDArray[np.bool_],
    user_index: NDArray[np.int32],
    offsets: NDArray[np.int64],
    into: NDArray[np.int32] | None,
) -> NDArray[Any]:
    """Where each event stands among the kept ones by user and position, -1 if it is not kept; written to ``into``."""
    wide = len(user) > np.iinfo(np.int32).max
    result = np.empty(len(user), dtype=np.int64 if wide else np.int32) if into is None else into
    following = offsets[:-1].copy()  # [U] of the next event of each user
    for begin in range(0, len(user), SOME):
        some = slice(begin, begin + SOME)
        chosen = np.flatnonzero(kept[some])
        own = user_index[user[some][chosen]]
        order = order_of(own, None)
        own = own[order]
        first = np.flatnonzero(np.append(True, own[1:] != own[:-1])) if len(own) else order
        length = np.diff(np.append(first, len(own)))
        result[some] = -1
        result[begin + chosen[order]] = np.arange(len(own)) + np.repeat(following[own[first]] - first, length)
        following[own[first]] += length
    return result


def _moved(
    index: NDArray[Any],
    size: int,
    column: NDArray[Any],
    dtype: Any,
    value: Callable[[NDArray[Any]], NDArray[Any]] = lambda values: values,
) -> NDArray[Any]:  # [E] -> [K]
    """``value`` of a column's events, or of their positions where it has none, at their indices."""
    result = np.empty(size, dtype=dtype)
    for begin in range(0, len(index), BLOCK):
        target = index[begin : begin + BLOCK]
        part = column[begin : begin + BLOCK] if len(column) else np.arange(begin, begin + len(target))
        if size < len(index):
            part, target = part[target >= 0], target[target >= 0]
        result[target] = value(part)
    return result


def _by_time(events: Events, duplicates: str) -> tuple[Events, RepeatedEvents]:
    """The same arrays with each user's events by time, without repeats where only the first counts."""
    if events.time is None:
        return events, RepeatedEvents(0, -1, -1)
    lengths, kept, found = events.lengths, 0, RepeatedEvents(0, -1, -1)
    columns = [column for column in (events.items, events.time, events.position) if column is not None]
    for start, stop in blocks(events.offsets, SOME):
        begin, end = events.offsets[start], events.offsets[stop]
        user = np.repeat(np.arange(stop - start, dtype=np.int32), lengths[start:stop])
        order = order_of(user, events.time[begin:end])
        if duplicates != "keep":
            item = events.items[begin:end][order]
            again = repeats(user, item, events.time[begin:end][order])
            if again.any():
                first = int(np.argmax(again)) if not found.count else -1
                where = (found.user, found.item) if first < 0 else (start + int(user[first]), int(item[first]))
                found = RepeatedEvents(found.count + int(again.sum()), *where)
                if duplicates == "first":
                    order = order[~again]
                    lengths[start:stop] -= np.bincount(user[again], minlength=stop - start)
        for column in columns:
            column[kept : kept + len(order)] = column[begin:end][order]
        kept += len(order)
    offsets = offsets_of(lengths)
    part = [None if column is None else column[:kept] for column in (events.time, events.position)]
    return Events(events.items[:kept], offsets, *part), found


def _whole(time: NDArray[Any], low: int, unit: int) -> bool:
    """Whether all times lie a whole number of units after the first."""
    starts = range(0, len(time) if unit > 1 else 0, BLOCK)
    return all(not ((time[begin : begin + BLOCK] - low) % unit).any() for begin in starts)
