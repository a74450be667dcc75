"""Filters, against slow loops over small random histories."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engine.data.filters import core, filtered
from engine.data.interactions import Interactions

events = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=40)


def columns(listed: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    user, item, time = (np.array([event[column] for event in listed], dtype=np.int64) for column in range(3))
    return user.astype(np.int32), item.astype(np.int32), time


@given(events, st.integers(0, 4), st.integers(0, 4))
def test_the_core_is_what_removing_one_rare_user_or_item_after_the_other_leaves(
    listed: list[tuple[int, int, int]], core_users: int, core_items: int
) -> None:
    left = list(range(len(listed)))
    while True:
        users, items = Counter(listed[e][0] for e in left), Counter(listed[e][1] for e in left)
        rare = [e for e in left if users[listed[e][0]] < core_users or items[listed[e][1]] < core_items]
        if not rare:
            break
        left.remove(rare[0])
    user, item, _ = columns(listed)
    kept = core(user, item, np.ones(len(listed), dtype=bool), core_users, core_items)
    assert np.flatnonzero(kept).tolist() == left


def test_what_is_left_out_is_counted_by_reason() -> None:
    interactions = Interactions(
        user=np.array([0, 0, 0, 1, 1], dtype=np.int32),
        item=np.array([0, 1, 0, 1, 1], dtype=np.int32),
        users=pa.array(["u", "v"]),
        items=pa.array(["a", "b"]),
        time=None,
        rating=np.array([5, 2, 4, 3, 5], dtype=np.float32),
        catalogue=None,
    )
    kept, dropped = filtered(interactions, min_rating=3, core_users=0, core_items=0)
    assert kept.tolist() == [True, False, True, True, True]
    assert dropped == {"rating below min_rating": 1, "rare user or item": 0}
    kept, dropped = filtered(interactions, min_rating=4, core_users=2, core_items=0)
    assert kept.tolist() == [True, False, True, False, False]
    assert dropped == {"rating below min_rating": 2, "rare user or item": 1}
