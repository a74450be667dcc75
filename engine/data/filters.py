"""Which events count. Whole columns, some events at a time, to save memory.

Letters: E events, C codes.
"""

import numpy as np
from numpy.typing import NDArray

from engine.data.interactions import Interactions
from engine.data.sequences import BLOCK


def core(
    user: NDArray[np.int32], item: NDArray[np.int32], kept: NDArray[np.bool_], core_users: int, core_items: int
) -> NDArray[np.bool_]:
    """The largest part of ``kept`` [E] whose users have ``core_users`` and whose items ``core_items`` events in it."""
    kept = kept.copy()
    while True:
        users, items = occurrences(user, kept), occurrences(item, kept)
        rare_users, rare_items = (users > 0) & (users < core_users), (items > 0) & (items < core_items)
        if not rare_users.any() and not rare_items.any():
            return kept
        for begin in range(0, len(user), BLOCK):
            some = slice(begin, begin + BLOCK)
            kept[some] &= ~(rare_users[user[some]] | rare_items[item[some]])


def occurrences(code: NDArray[np.int32], kept: NDArray[np.bool_], size: int = 0) -> NDArray[np.int64]:  # -> [C]
    """How many ``kept`` events [E] each code has; for at least ``size`` codes."""
    found = np.zeros(max(size, int(code.max(initial=-1)) + 1), dtype=np.int64)
    for begin in range(0, len(code), BLOCK):
        found += np.bincount(code[begin : begin + BLOCK][kept[begin : begin + BLOCK]], minlength=len(found))
    return found


def rated_at_least(interactions: Interactions, min_rating: float | None) -> NDArray[np.bool_]:  # -> [E]
    """Which events have that rating or a higher one; all where none is asked for or there are none."""
    kept, rating = np.ones(len(interactions), dtype=bool), interactions.rating
    if min_rating is not None and rating is not None:
        for begin in range(0, len(kept), BLOCK):  # as float32, whatever the ratings are kept as
            kept[begin : begin + BLOCK] = rating[begin : begin + BLOCK].astype(np.float32) >= min_rating
    return kept


def filtered(
    interactions: Interactions, min_rating: float | None, core_users: int, core_items: int
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which events stay [E], and how many were dropped for each reason."""
    kept = rated_at_least(interactions, min_rating)
    rated = int(kept.sum())
    kept = core(interactions.user, interactions.item, kept, core_users, core_items)
    return kept, {"rating below min_rating": len(kept) - rated, "rare user or item": rated - int(kept.sum())}
