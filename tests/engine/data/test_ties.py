"""Ties of test targets against a slow loop, and what is said of them."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.splits import Events, leave_one_out, temporal
from engine.data.ties import PROFILED, Ties, by_item, many, of_profile, remark, ties

users = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=9), min_size=1)


@given(users, st.booleans())
def test_ties_are_those_of_a_loop_over_the_rows(drawn: list[list[tuple[int, int]]], over_time: bool) -> None:
    own = [sorted(events, key=lambda event: event[0]) for events in drawn]
    flat = [event for events in own for event in events]
    offsets = np.cumsum([0, *map(len, own)])
    time, items = (np.array([event[part] for event in flat]) for part in (0, 1))
    events = Events(items.astype(np.int32), offsets, time, np.arange(len(flat)))
    test = (temporal(events, 2) if over_time else leave_one_out(events)).test
    tied, shuffled = 0, 0.0
    for user, start, stop in zip(test.users, test.start, test.stop, strict=True):
        times = [when for when, _ in own[user]]
        same = times.count(times[stop - start])
        tied += same > 1
        shuffled += 1 - 1 / same
    neighbours = [(a[1], b[1]) for events in own for a, b in pairwise(events) if a[0] == b[0] and a[1] != b[1]]
    found = ties(events, test)
    assert found == Ties(tied, pytest.approx(shuffled, abs=0.051), len(neighbours), sum(a < b for a, b in neighbours))


def written(times: list[list[str]], items: list[int]) -> str:
    lines = [f"{user},{item},{when}\n" for user, own in enumerate(times) for item, when in zip(items, own, strict=True)]
    return "user,item,time\n" + "".join(lines)


SHARED = "30 of 30 test targets share their time with other events of their user"
DAYS = ["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03", "2024-01-03"]


@pytest.mark.parametrize(
    ("days", "items", "words"),
    [
        (
            DAYS,
            [1, 2, 3, 4, 5],
            f"{SHARED}, whose order is ascending in item id (100%)",
        ),
        (DAYS, [1, 5, 4, 2, 3], f"{SHARED}: the order of the file"),
        ([*DAYS[:4], "2024-01-04"], [1, 2, 3, 4, 5], ""),  # ties before the target decide nothing
        ([f"{day} 0{hour}:00:00" for hour, day in enumerate(DAYS)], [1, 2, 3, 4, 5], ""),  # one day, other hours
    ],
)
def test_only_tied_targets_are_remarked_on(sets: Any, days: list[str], items: list[int], words: str) -> None:
    sets.write("a.csv", written([days] * 30, items))
    profile = sets.prepare("table", file="a.csv").profile
    assert remark(profile).startswith(words) and bool(remark(profile)) == bool(words)


def test_a_file_without_times_has_no_ties_and_neither_has_an_older_profile(sets: Any) -> None:
    sets.write("a.txt", "".join(f"{user} {item}\n" for user in range(3) for item in (1, 2, 3, 4)))
    profile = sets.prepare("pairs", file="a.txt").profile
    assert PROFILED not in profile and of_profile(profile) is None and remark(profile) == ""
    assert remark({}) == ""


def test_a_few_ties_and_a_few_pairs_say_nothing() -> None:
    assert [many(Ties(count, 0, 0, 0), 100) for count in (5, 6)] == [False, True]
    assert [by_item(Ties(9, 5, *pairs)) for pairs in ((19, 19), (20, 20), (20, 18), (20, 17))] == [
        False, True, True, False,
    ]  # fmt: skip
