"""The order of events, against slow loops over small random histories."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import order
from engine.data.interactions import Interactions
from engine.data.order import narrowed, order_of, ordered, repeats

events = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=40)


def columns(listed: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    user, item, time = (np.array([event[column] for event in listed], dtype=np.int64) for column in range(3))
    return user.astype(np.int32), item.astype(np.int32), time


@given(events)
def test_the_order_is_by_user_then_time_then_position(listed: list[tuple[int, int, int]]) -> None:
    user, _, time = columns(listed)
    wanted = sorted(range(len(listed)), key=lambda e: (listed[e][0], listed[e][2], e))
    assert order_of(user, time).tolist() == wanted
    assert order_of(user, time.astype(np.float64)).tolist() == wanted
    assert order_of(user, time * 2**60).tolist() == wanted  # too wide for one key


@given(events)
def test_without_times_the_order_of_the_file_stays(listed: list[tuple[int, int, int]]) -> None:
    user, _, _ = columns(listed)
    assert order_of(user, None).tolist() == sorted(range(len(listed)), key=lambda e: (listed[e][0], e))


@given(events)
def test_a_repeat_is_an_event_said_before(listed: list[tuple[int, int, int]]) -> None:
    listed = sorted(listed, key=lambda event: (event[0], event[2]))
    wanted = [event in listed[:count] for count, event in enumerate(listed)]
    assert repeats(*columns(listed)).tolist() == wanted


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=40))
def test_numbers_of_any_width_are_sorted(pairs: list[tuple[int, int]]) -> None:
    user, time = (np.array([pair[column] for pair in pairs], dtype=np.int64) for column in (0, 1))
    assert order_of(user, time).tolist() == sorted(range(len(pairs)), key=lambda e: (pairs[e], e))


@given(events, st.data(), st.sampled_from(["keep", "first", "error"]), st.booleans(), st.booleans(), st.integers(1, 50))
def test_events_are_moved_to_where_a_loop_puts_them(
    listed: list[tuple[int, int, int]], data: st.DataObject, duplicates: str, timed: bool, release: bool, size: int
) -> None:
    user, item, time = columns(listed)
    kept = np.array([data.draw(st.booleans()) for _ in listed], dtype=bool)
    index, ids = np.array([3, 0, 5, 1, 4, 2], dtype=np.int32), np.arange(11, 17, dtype=np.int32)
    own = [(index[u], when if timed else 0, at, ids[i]) for at, (u, i, when) in enumerate(listed) if kept[at]]
    wanted, again = [], Counter[tuple[int, ...]]()
    for u, when, at, i in sorted(own):
        again[(u, when, i)] += timed
        if again[(u, when, i)] < 2 or duplicates != "first":
            wanted.append((u, i, at))
    names = pa.array([str(n) for n in range(6)])
    given = Interactions(user, item, names, names, time if timed else None, None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "SOME", size)
        patch.setattr(order, "BLOCK", size)
        found, repeated = ordered(given, kept, index, ids, 6, duplicates, True, release)
    assert found.position is not None
    users = np.repeat(np.arange(6), found.lengths)
    assert list(zip(users, found.items, found.position, strict=True)) == wanted
    assert repeated.count == (0 if duplicates == "keep" else sum(count - 1 for count in again.values() if count > 1))
    if repeated.count:
        first = next(key for key in sorted(again) if again[key] > 1)
        assert (repeated.user, repeated.item) == (first[0], first[2])
    assert len(given.user) == (0 if release else len(listed))


@given(st.lists(st.integers(0, 2**33), min_size=1, max_size=50), st.sampled_from([1, 1_000, 1_000_000]), st.booleans())
def test_narrow_times_have_the_same_order_and_ties(values: list[int], unit: int, release: bool) -> None:
    time = np.array(values, dtype=np.int64) * unit + 5
    wanted = np.unique(time, return_inverse=True)[1].tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", 7)
        found = narrowed(time.copy() if release else time, release)
    assert np.unique(found, return_inverse=True)[1].tolist() == wanted and len(found) == len(values)
    fits = max(values) - min(values) < 2**31
    assert found.dtype == (np.int32 if fits else np.int64) or unit == 1_000
    assert release or time.tolist() == [value * unit + 5 for value in values]


def test_times_that_need_more_than_32_bits_and_fractions_stay_as_they_are() -> None:
    for time in (np.array([0, 1, 2**40 + 1]), np.array([0.5, 2.0])):
        assert narrowed(time, False) is time
