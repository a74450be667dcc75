"""The profile counts what was made, and its hash identifies the test targets."""

from typing import Any

import numpy as np

from engine.data.profile import targets_hash
from engine.data.sequences import Rows

EVENTS = "".join(f"{user} {item}\n" for user, items in enumerate([[1, 2, 3, 4], [2, 3, 5], [1, 4]]) for item in items)


def test_counts_are_those_of_a_small_set(sets: Any) -> None:
    sets.write("a.txt", EVENTS)
    profile = sets.prepare("pairs", file="a.txt").profile
    assert (profile["users"], profile["items"], profile["interactions"], profile["read"]) == (3, 5, 9, 9)
    assert profile["rows"] == {"train": 5, "validation": 2, "test": 2}
    assert profile["split_users"] == {
        "train": 3, "validation": 2, "test": 2, "trained on only": 1, "in no part": 0,
    }  # fmt: skip
    assert profile["titles"] == {"given": False, "missing": 5, "shared": 0}
    assert profile["cold_items"] == 2 and profile["order"] == "position in the file"  # items 3 and 5 are held out only


def test_the_hash_is_of_the_targets_in_order_and_of_nothing_else() -> None:
    def rows(*targets: int) -> Rows:
        index = np.arange(len(targets))
        return Rows(np.array(targets, dtype=np.int32), index, index, index)

    assert targets_hash(rows(1, 2)) == "34fb5c825de7"  # SHA-256 of the bytes 01 00 00 00 02 00 00 00
    assert targets_hash(rows(1, 2)) != targets_hash(rows(2, 1))
