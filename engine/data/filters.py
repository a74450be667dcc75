"""Which events count, and in which order. Whole columns at a time.

Letters: E events, U users, N items, K events that are kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.interactions import Interactions


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
