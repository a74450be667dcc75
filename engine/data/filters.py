"""Which events count, and in which order. Whole columns at a time.

Letters: E events, U users, N items, K events that are kept.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.interactions import Interactions

RANGE, RANGES = 1_000_000, 16  # events that are ordered at a time at least; parts of a large set
BLOCK = 1 << 20  # events that are looked through at a time


def core(
    user: NDArray[np.int32], item: NDArray[np.int32], kept: NDArray[np.bool_], core_users: int, core_items: int
) -> NDArray[np.bool_]:
    """The largest part of ``kept`` [E] whose users have ``core_users`` and whose items ``core_items`` events in it."""
    while True:
        users, items = np.bincount(user[kept]), np.bincount(item[kept])
        rare_users, rare_items = (users > 0) & (users < core_users), (items > 0) & (items < core_items)
        if not rare_users.any() and not rare_items.any():
            return kept
        kept = kept.copy()
        index = np.flatnonzero(kept)
        kept[index[rare_users[user[index]] | rare_items[item[index]]]] = False


def filtered(
    interactions: Interactions, min_rating: float | None, core_users: int, core_items: int
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which events stay [E], and how many were dropped for each reason."""
    kept = np.ones(len(interactions), dtype=bool)
    if min_rating is not None and interactions.rating is not None:
        kept = interactions.rating >= min_rating
    rated = int(kept.sum())
    kept = core(interactions.user, interactions.item, kept, core_users, core_items)
    return kept, {"rating below min_rating": len(kept) - rated, "rare user or item": rated - int(kept.sum())}


def ranges_of_users(
    user: NDArray[np.int32], kept: NDArray[np.bool_], index: NDArray[np.int32]
) -> Iterator[NDArray[np.int64]]:
    """Positions of the ``kept`` events [E] of some users at a time, in the order of ``index``: a user's all at once.

    user [E] codes, index [codes] of a user, -1 for none.
    """
    if len(user) <= RANGE:
        yield np.flatnonzero(kept)
        return
    counts = np.bincount(user[kept], minlength=len(index))
    size = max(RANGE, len(user) // RANGES)
    ordered = np.zeros(int(index.max()) + 1, dtype=np.int64)
    ordered[index[index >= 0]] = counts[index >= 0]
    of_user = (np.cumsum(ordered) - 1) // size  # number of the range of every index
    of_code = np.where(index >= 0, of_user[index], -1).astype(np.int32)
    for number in np.unique(of_user):
        wanted = of_code == number
        yield np.concatenate(
            [
                begin + np.flatnonzero(wanted[user[begin : begin + BLOCK]] & kept[begin : begin + BLOCK])
                for begin in range(0, len(user), BLOCK)
            ]
        )


def order_of(user: NDArray[np.int32], time: NDArray[Any] | None) -> NDArray[np.int64]:  # [K], [K] -> [K]
    """Positions by user, inside a user by time, ties by position: a stable sort."""
    if time is None or not len(time):
        return np.argsort(user, kind="stable")
    if time.dtype == np.int64:
        low, span = int(time.min()), int(time.max()) - int(time.min()) + 1
        if span < 2**62 // (int(user.max()) + 1):  # one key of user and time sorts three times faster than two
            return np.argsort(user.astype(np.int64) * span + (time - low), kind="stable")
    return np.lexsort((time, user))


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
