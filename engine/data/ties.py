"""Test targets that share their time with other events of their user: their order, and so the target, is the file's.

Letters: E events, R rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.sequences import BLOCK, Rows
from engine.data.splits import Events
from engine.data.stretches import blocks

PROFILED = "ties"  # key of profile.json; absent where events have no times
MOST = 0.05  # share of tied test targets up to which nothing is said
SORTED, PAIRS = 0.9, 20  # share of at least so many neighbours in ascending order from which ties are sorted by item


@dataclass(frozen=True)
class Ties:
    """Counts of a data set with times."""

    test: int  # test targets that share their time with another event of their user
    shuffled: float  # of these, how many would be another event if tied events were shuffled: 1 - 1 / their number each
    pairs: int  # neighbours of one user and one time that are different items
    ascending: int  # of these, how many are in the order of the item ids


def ties(events: Events, test: Rows) -> Ties:
    """The ties of all events, and those of the test targets among them; some users at a time: it takes less memory."""
    assert events.time is not None
    size = np.ones(len(test), dtype=np.int64)  # [R]
    target = events.offsets[test.users] + test.stop - test.start  # [R] among all events
    pairs = ascending = 0
    for start, stop in blocks(events.offsets, BLOCK):
        begin, end = events.offsets[start], events.offsets[stop]
        items, time = events.items[begin:end], events.time[begin:end]
        first = np.ones(len(items), dtype=bool)  # of a user's events of one time
        first[1:] = time[1:] != time[:-1]
        first[(events.offsets[start:stop] - begin)[events.lengths[start:stop] > 0]] = True
        group = np.cumsum(first) - 1
        own = np.flatnonzero((begin <= target) & (target < end))
        size[own] = np.bincount(group)[group[target[own] - begin]] if len(own) else 1
        here, there = items[:-1][~first[1:]], items[1:][~first[1:]]
        pairs, ascending = pairs + int((here != there).sum()), ascending + int((here < there).sum())
    return Ties(int((size > 1).sum()), float(np.round((1 - 1 / size).sum(), 1)), pairs, ascending)


def of_profile(profile: Mapping[str, Any]) -> Ties | None:
    """The ties that a profile states; None where events have no times, or an older version wrote it."""
    return Ties(**profile[PROFILED]) if PROFILED in profile else None


def many(found: Ties, rows: int) -> bool:
    """Whether more than a few of the test targets are tied."""
    return found.test > MOST * rows


def by_item(found: Ties) -> bool:
    """Whether tied events are in the order of the item ids, so that the order says something about items."""
    return found.pairs >= PAIRS and found.ascending >= SORTED * found.pairs


def sentence(found: Ties, rows: int) -> str:
    """How many test targets are tied, and what orders them."""
    shared = f"{found.test:,} of {rows:,} test targets share their time with other events of their user"
    if by_item(found):
        ascending = f"{found.ascending / found.pairs:.0%}"
        return f"{shared}, whose order is ascending in item id ({ascending}): the ids pick the target"
    return f"{shared}: the order of the file picks the target"


def remark(profile: Mapping[str, Any]) -> str:
    """The sentence where more than a few test targets are tied; else ""."""
    found = of_profile(profile)
    rows = profile["rows"]["test"] if found else 0
    return sentence(found, rows) if found and many(found, rows) else ""
