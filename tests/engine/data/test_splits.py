"""Splits against slow loops: what is trained on, what is held out, and that nothing leaks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.sequences import Rows, Sequences
from engine.data.splits import TEST, TRAIN, VALIDATION, Events, Split, by_user, leave_one_out, temporal
from engine.data.stretches import histories

# Every event of a small set has its own number as item id, so a history says exactly which events are in it.
lengths = st.lists(st.integers(1, 14), min_size=1, max_size=12)


def events_of(sizes: list[int], seed: int = 0) -> Events:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    count = int(offsets[-1])
    draw = np.random.default_rng(seed)
    time = draw.integers(0, max(count // 2, 1), count)
    for begin, end in pairwise(offsets):
        time[begin:end].sort()
    return Events(np.arange(1, count + 1, dtype=np.int32), offsets, time, draw.permutation(count))


def of_user(events: Events, user: int) -> list[int]:
    return events.items[events.offsets[user] : events.offsets[user + 1]].tolist()


def trained(sequences: Sequences) -> dict[int, list[int]]:
    return {
        int(user): sequences.items[begin:end].tolist()
        for user, begin, end in zip(sequences.users, sequences.offsets[:-1], sequences.offsets[1:], strict=True)
    }


def rows(held: Rows) -> list[tuple[int, list[int], int]]:
    return [
        (int(user), held.items[begin:end].tolist(), int(held.items[end]))
        for user, begin, end in zip(held.users, held.start, held.stop, strict=True)
    ]


def everything(split: Split) -> None:
    """What holds for every split: no target is trained on."""
    learned = set(histories(split.trained).items.tolist())
    for held in (split.validation, split.test):
        assert not learned & set(held.targets.tolist())


@given(lengths)
def test_leave_one_out_holds_out_the_last_two_events(sizes: list[int]) -> None:
    events = events_of(sizes)
    split = leave_one_out(events)
    everything(split)
    every = {user: of_user(events, user) for user in range(len(sizes))}
    assert trained(histories(split.trained)) == {u: all if len(all) < 3 else all[:-2] for u, all in every.items()}
    assert rows(split.validation) == [(u, all[:-2], all[-2]) for u, all in every.items() if len(all) >= 3]
    assert rows(split.test) == [(u, all[:-1], all[-1]) for u, all in every.items() if len(all) >= 3]


@given(lengths)
def test_the_users_split_holds_out_the_users_who_came_last(sizes: list[int]) -> None:
    events = events_of(sizes)
    split = by_user(events, None)
    everything(split)
    first = events.offsets[:-1]
    order = sorted(range(len(sizes)), key=lambda u: (events.time[first[u]], events.position[first[u]]))
    a, b = int(0.8 * len(order)), int(0.9 * len(order))
    assert trained(histories(split.trained)) == {u: of_user(events, u) for u in sorted(order[:a])}
    for held, users in ((split.validation, order[a:b]), (split.test, order[b:])):
        every = {u: of_user(events, u) for u in sorted(users)}
        assert rows(held) == [(u, all[:-1], all[-1]) for u, all in every.items() if len(all) >= 2]


def test_the_given_split_follows_the_parts_of_the_files() -> None:
    events = events_of([3, 2, 4, 1])
    split = by_user(events, np.array([TEST, TRAIN, VALIDATION, TEST], dtype=np.int8))
    assert list(trained(histories(split.trained))) == [1]
    assert [user for user, _, _ in rows(split.validation)] == [2]
    assert [user for user, _, _ in rows(split.test)] == [0]  # user 3 has no history


@given(lengths, st.integers(1, 6))
def test_the_temporal_split_cuts_all_rows_at_two_moments(sizes: list[int], window: int) -> None:
    events = events_of(sizes)
    split = temporal(events, window)
    everything(split)
    every = []
    for user, size in enumerate(sizes):
        begin = int(events.offsets[user])
        every += [(begin + k, user, k) for k in range(max(min(window, size - 1), 1), size)]
    every.sort(key=lambda row: (events.time[row[0]], row[0]))
    a, b = int(0.8 * len(every)), int(0.9 * len(every))
    if a == 0:
        assert len(split.validation) == len(split.test) == 0
        return
    for held, wanted in ((split.validation, every[a:b]), (split.test, every[b:])):
        expected = sorted((user, of_user(events, user)[:k], of_user(events, user)[k]) for _, user, k in wanted)
        assert sorted(rows(held)) == expected
    learned = trained(histories(split.trained))
    cut = events.time[every[a - 1][0]]
    held_out = {row for row, _, _ in every[a:]}
    for user, size in enumerate(sizes):
        begin = int(events.offsets[user])
        past = []
        for k in range(size):
            if begin + k in held_out or events.time[begin + k] > cut:
                break
            past.append(of_user(events, user)[k])
        assert learned.get(user, []) == past
    for row, user, k in every[:a]:
        assert events.items[row] in learned[user], (row, user, k)


def test_the_published_sizes_of_a_temporal_split_come_out() -> None:
    """BIGRec's Games: 149,796 rows give 119,836, 14,980 and 14,980 (REFERENCE a.2)."""
    events = events_of([2] * 149_796)
    split = temporal(events, 10)
    assert (len(split.validation), len(split.test)) == (14_980, 14_980)


@pytest.mark.parametrize("latest", [None, 1, 3, 50])
def test_histories_are_whole_or_the_latest_items_and_never_the_target(latest: int | None) -> None:
    split = leave_one_out(events_of([3, 9, 5]))
    kept = histories(split.test, latest)
    assert kept.users.tolist() == split.test.users.tolist()
    assert list(trained(kept).values()) == [history[-(latest or 0) :] for _, history, _ in rows(split.test)]
    assert not set(kept.items.tolist()) & set(split.test.targets.tolist())
