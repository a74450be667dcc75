"""``target-not-in-history``: leaks that are planted, and habits that are none. ``test-order``: ties of time."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from engine.data.sequences import Rows, Sequences
from engine.data.ties import PROFILED, Ties
from engine.doctor.check import Unavailable
from engine.doctor.targets import target_not_in_history, test_order
from tests.fixtures.doctor import Doctor

CHECK = target_not_in_history[0].run
ORDER = test_order[0].run


def test_a_target_inside_its_history_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("data")
    path = folder / "artifacts" / "test.safetensors"
    rows = Rows.load(path)
    stretches = [
        [*rows.items[a:b], target, target] for a, b, target in zip(rows.start, rows.stop, rows.targets, strict=True)
    ]
    starts = np.cumsum([0, *map(len, stretches)])
    Rows(np.concatenate(stretches).astype(np.int32), starts[:-1], starts[1:] - 1, rows.users).save(path)
    found = doctor.outcomes(
        ("target-not-in-history", "no-leak", "ids"),
        altered={"data": folder},
    )
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "target-not-in-history": "fail", "no-leak": "pass", "ids": "pass",
    }  # fmt: skip
    assert found["target-not-in-history"].evidence.startswith("100.0% of test targets")


def users(count: int, length: int, items: int, habit: float, seed: int = 0) -> list[list[int]]:
    """Events of users who take an item of their own again with the probability ``habit``, else a new one."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        fresh, own = iter(draw.permutation(items) + 1), list[int]()
        for _ in range(length):
            own.append(int(draw.choice(own)) if own and draw.random() < habit else int(next(fresh)))
        found.append(own)
    return found


def case(events: list[list[int]], late: float = 0.0) -> SimpleNamespace:
    """Leave-one-out; the histories of the share ``late`` of the test rows hold their target's own event."""
    sequences = Sequences(
        np.concatenate([own[:-2] for own in events]).astype(np.int32),
        np.cumsum([0, *(len(own) - 2 for own in events)]),
        np.arange(len(events)),
    )
    rows = {}
    for split, cut in (("validation", 1), ("test", 0)):
        kept = [own[: len(own) - cut] for own in events]
        if split == "test":
            kept = [own + own[-1:] if at < late * len(events) else own for at, own in enumerate(kept)]
        ends = np.cumsum([0, *map(len, kept)])
        flat = np.concatenate(kept).astype(np.int32)
        rows[split] = Rows(flat, ends[:-1], ends[1:] - 1, np.arange(len(events)))
    return SimpleNamespace(sequences=sequences, rows=rows, titled=lambda items: str(list(items)))


@pytest.mark.parametrize("habit", [0.0, 0.03, 0.3, 0.9])
def test_a_habit_of_repeating_is_no_leak(habit: float) -> None:
    outcome = CHECK(case(users(300, 12, 400, habit)))
    assert outcome.verdict == "pass", outcome.evidence


@pytest.mark.parametrize("habit", [0.0, 0.3, 0.6])
def test_histories_that_end_one_event_too_late_are_found_among_people_who_repeat(habit: float) -> None:
    outcome = CHECK(case(users(300, 12, 400, habit), late=1.0))
    assert outcome.verdict == "fail" and "test targets" in outcome.evidence


def test_a_tenth_of_the_rows_that_leak_is_found_where_nobody_repeats() -> None:
    assert CHECK(case(users(300, 12, 400, 0.0), late=0.1)).verdict == "fail"


@pytest.mark.parametrize("late", [1 / 15, 2 / 15])
def test_a_repeat_or_two_in_fifteen_rows_is_chance(late: float) -> None:
    assert CHECK(case(users(15, 6, 40, 0.0), late=late)).verdict == "pass"


def test_users_with_a_single_training_event_say_nothing_and_fail_nothing() -> None:
    assert CHECK(case(users(40, 3, 50, 0.4))).verdict == "pass"


def test_longer_histories_repeat_more_and_are_compared_with_long_ones() -> None:
    """Users of few items: long histories hold nearly all of them, the short ones of training hold few."""
    draw = np.random.default_rng(2)
    events = [draw.integers(1, 21, 30 if user % 4 else 4).tolist() for user in range(200)]
    assert CHECK(case(events)).verdict == "pass"


def test_habits_give_no_false_alarm_in_two_hundred_sets() -> None:
    verdicts = [CHECK(case(users(40, 3 + seed % 9, 60, seed % 10 / 10, seed))).verdict for seed in range(200)]
    assert verdicts.count("pass") == 200


def timed(found: Ties | None, order: str = "time, ties by position in the file") -> SimpleNamespace:
    profile = {"order": order} | ({} if found is None else {PROFILED: asdict(found)})
    return SimpleNamespace(profile=profile, rows={"test": range(100)})


def test_an_order_of_items_inside_a_time_fails_a_chance_order_warns_and_few_ties_pass() -> None:
    verdicts = {
        ascending: ORDER(timed(Ties(60, 40.0, 200, ascending))).verdict for ascending in (200, 180, 179, 100, 0)
    }
    assert verdicts == {200: "fail", 180: "fail", 179: "warn", 100: "warn", 0: "warn"}
    assert "shuffled, 40 of them would be another event" in ORDER(timed(Ties(60, 40.0, 200, 100))).evidence
    assert ORDER(timed(Ties(5, 2.5, 200, 200))).verdict == "pass"  # few targets, whatever orders the rest
    assert ORDER(timed(Ties(0, 0.0, 0, 0))).verdict == "pass"


def test_data_without_times_pass_and_older_data_are_skipped() -> None:
    assert ORDER(timed(None, "position in the file")).verdict == "pass"
    with pytest.raises(Unavailable):
        ORDER(timed(None))
