"""``equal-histories``: users that were copied into another part of the split, and habits that only look so."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.data.sequences import Rows, Sequences
from engine.doctor.check import Outcome, Unavailable
from engine.doctor.twins import equal_histories

CHECK = equal_histories[0].run
Histories = list[list[int]]


def case(trained: Histories, held: Histories, split: str = "users") -> SimpleNamespace:
    """Whole users are held out; their last item is the target."""
    offsets = np.cumsum([0, *map(len, trained)])
    sequences = Sequences(np.concatenate(trained).astype(np.int32), offsets, np.arange(len(trained)))
    half = len(held) // 2
    rows = {}
    for name, users in (("validation", held[:half]), ("test", held[half:])):
        ends = np.cumsum([0, *map(len, users)])
        flat = np.concatenate(users).astype(np.int32)
        rows[name] = Rows(flat, ends[:-1], ends[1:] - 1, len(trained) + np.arange(len(users)))
    titled = lambda items: " | ".join(map(str, items))  # noqa: E731
    return SimpleNamespace(sequences=sequences, rows=rows, profile={"split": split}, titled=titled)


def walks(users: int, items: int, length: int, seed: int, popular: float = 0.0) -> Histories:
    """Users who take items by their popularity, each once."""
    draw = np.random.default_rng(seed)
    share = 1 / np.arange(1, items + 1) ** popular
    sizes = draw.integers(max(2, length // 2), length + 1, users)
    return [(draw.choice(items, size, replace=False, p=share / share.sum()) + 1).tolist() for size in sizes]


def outcome(trained: Histories, held: Histories) -> Outcome:
    return CHECK(case(trained, held))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_users_who_were_copied_into_the_test_rows_are_named(seed: int) -> None:
    trained, held = walks(200, 100, 12, seed, 1.0), walks(50, 100, 12, 100 + seed, 1.0)
    assert outcome(trained, held).verdict == "pass"
    found = outcome(trained, [*held[:45], *trained[3:8]])
    assert (
        found.verdict == "fail"
        and "5 of 25 test users" in found.evidence
        and "5 of them the same target" in found.evidence
    )


def test_copies_whose_targets_differ_or_that_go_on_in_training_are_named_too() -> None:
    trained, held = walks(200, 100, 12, 1), walks(50, 100, 12, 2)
    copies = [[*own[:-1], own[-1] % 100 + 1] for own in trained[:3]]
    found = outcome([[*own, 7, 8] for own in trained], [*held[:47], *copies])
    assert found.verdict == "fail" and "0 of them the same target" in found.evidence


def test_a_few_copies_among_many_rows_are_a_warning() -> None:
    trained, held = walks(400, 200, 12, 3), walks(800, 200, 12, 4)
    assert outcome(trained, [*held[:797], *trained[:3]]).verdict == "warn"
    assert outcome(trained, [*held[:799], *trained[:1]]).verdict == "pass"  # one user may be anyone


def test_short_histories_of_popular_items_are_none() -> None:
    for seed in range(10):
        trained, held = walks(600, 30, 4, seed, 1.5), walks(120, 30, 4, 50 + seed, 1.5)
        found = outcome(trained, held)
        assert found.verdict == "pass", found


def test_a_course_that_everyone_takes_in_the_same_order_is_none() -> None:
    draw = np.random.default_rng(0)
    whole = list(range(1, 31))
    users = [whole[: int(size)] for size in draw.integers(3, 31, 250)]
    assert outcome(users[:200], users[200:]).verdict == "pass"


def test_two_courses_that_meet_are_none() -> None:
    draw = np.random.default_rng(1)
    courses = [[1, 9, 2, 9, 3, 9, 4, 10], [5, 9, 6, 9, 7, 9, 8, 10]]
    users = [
        courses[int(which)][: int(size)]
        for which, size in zip(draw.integers(0, 2, 250), draw.integers(3, 9, 250), strict=True)
    ]
    assert outcome(users[:200], users[200:]).verdict == "pass"


def test_users_who_were_copied_everywhere_are_named() -> None:
    users = walks(150, 100, 12, 5)
    draw = np.random.default_rng(6).permutation(300)
    mixed = [(users + users)[at] for at in draw.tolist()]
    assert outcome(mixed[:240], mixed[240:]).verdict == "fail"


def test_rows_without_a_history_and_other_splits_are_none() -> None:
    trained = walks(20, 30, 6, 7)
    assert outcome(trained, [[1], [2], [3], [4]]).verdict == "pass"
    with pytest.raises(Unavailable, match="not users"):
        CHECK(case(trained, trained, "leave-one-out"))  # type: ignore[arg-type]
