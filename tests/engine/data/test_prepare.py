"""From interactions to what every later stage stands on."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.data.prepare import Prepared, prepare
from engine.data.profile import targets_hash
from engine.data.stretches import histories
from engine.errors import DataError

TABLE = "user,item,time,rating\n"


def sequences(prepared: Prepared) -> dict[str, list[str]]:
    """Raw user -> raw items of the training sequence."""
    raw_items = ["", *prepared.items["raw"].to_pylist()]
    raw_users = prepared.users["raw"].to_pylist()
    sequences = histories(prepared.trained)
    return {
        raw_users[user]: [raw_items[item] for item in sequences.items[begin:end]]
        for user, begin, end in zip(sequences.users, sequences.offsets[:-1], sequences.offsets[1:], strict=True)
    }


def with_rating(**changes: Any) -> dict[str, Any]:
    columns = {
        "user": "user",
        "item": "item",
        "key": None,
        "time": "time",
        "rating": "rating",
        "title": None,
        "text": None,
    }
    return {"columns": columns} | changes


def test_events_are_ordered_by_time_and_ties_by_position_in_the_file(sets: Any) -> None:
    sets.write("a.csv", TABLE + "u,c,5,1\nu,a,5,1\nu,z,1,1\nu,b,5,1\nu,y,9,1\nu,x,8,1\n")
    prepared = sets.prepare("table")
    assert sequences(prepared) == {"u": ["z", "c", "a", "b"]}
    assert prepared.profile["order"] == "time, ties by position in the file"


def test_without_a_time_column_the_file_s_order_counts(sets: Any) -> None:
    sets.write("a.csv", TABLE + "u,c,5,1\nu,a,4,1\nu,z,1,1\nu,b,0,1\n")
    columns = {"user": "user", "item": "item", "key": None, "time": None, "rating": None, "title": None, "text": None}
    prepared = sets.prepare("table", columns=columns)
    assert sequences(prepared) == {"u": ["c", "a"]}
    assert prepared.profile["order"] == "position in the file"


def test_users_and_items_are_numbered_in_natural_order_of_their_raw_ids(sets: Any) -> None:
    sets.write("a.txt", "10 30\n9 4\n10 100\n9 30\n10 4\n9 100\n")
    prepared = sets.prepare("pairs", file="a.txt")
    assert prepared.items["id"].to_pylist() == [1, 2, 3]
    assert prepared.items["raw"].to_pylist() == ["4", "30", "100"]
    assert prepared.users.to_pylist() == [{"user": 0, "raw": "9"}, {"user": 1, "raw": "10"}]
    assert prepared.test.targets.tolist() == [3, 1]


def test_text_ids_are_ids_as_good_as_numbers(sets: Any) -> None:
    sets.write("a.txt", "böb x-1\nböb x-2\nböb 007\nann x-1\nann 7\nann x-2\n")
    prepared = sets.prepare("pairs", file="a.txt")
    assert prepared.users["raw"].to_pylist() == ["ann", "böb"]
    assert prepared.items["raw"].to_pylist() == ["007", "7", "x-1", "x-2"]


def test_a_user_with_one_or_two_events_is_trained_on_and_counted(sets: Any) -> None:
    sets.write("a.txt", "1 a\n2 a\n2 b\n3 a\n3 b\n3 c\n")
    prepared = sets.prepare("pairs", file="a.txt")
    assert sequences(prepared) == {"1": ["a"], "2": ["a", "b"], "3": ["a"]}
    assert prepared.profile["split_users"]["trained on only"] == 2
    assert prepared.profile["rows"] == {"train": 4, "validation": 1, "test": 1}


def test_seen_counts_training_events_only_and_cold_items_are_told(sets: Any) -> None:
    sets.write("a.txt", "1 a\n1 b\n1 c\n2 a\n2 a\n2 b\n")
    prepared = sets.prepare("pairs", file="a.txt")
    assert prepared.items["seen"].to_pylist() == [2, 0, 0]
    assert prepared.profile["cold_items"] == 2


@pytest.mark.parametrize(("choice", "left", "dropped"), [("keep", 6, {}), ("first", 5, {"said twice": 1})])
def test_an_event_said_twice_is_kept_or_left_out_and_counted(
    sets: Any, choice: str, left: int, dropped: dict[str, int]
) -> None:
    sets.write("a.csv", TABLE + "u,a,1,5\nu,b,1,5\nu,a,1,4\nu,a,2,5\nu,c,3,5\nu,d,4,5\n")
    prepared = sets.prepare("table", duplicates=choice)
    assert prepared.profile["interactions"] == left
    assert prepared.profile["dropped"] == dropped


def test_an_event_said_twice_can_be_an_error_that_names_it(sets: Any) -> None:
    sets.write("a.csv", TABLE + "u,a,1,5\nu,b,1,5\nu,a,1,4\nu,c,3,5\n")
    with pytest.raises(DataError, match="user u and item a") as error:
        sets.prepare("table", duplicates="error")
    assert "data.duplicates=first" in error.value.remedy


def test_filters_apply_before_anything_is_numbered(sets: Any) -> None:
    lines = "u,a,1,5\nu,b,2,1\nu,c,3,5\nu,d,4,5\nv,a,1,5\nv,b,2,5\nv,c,3,5\nv,d,4,5\nw,a,1,5\n"
    sets.write("a.csv", TABLE + lines)
    prepared = sets.prepare("table", **with_rating(min_rating=2.0, core_users=2, core_items=2))
    assert prepared.items["raw"].to_pylist() == ["a", "c", "d"]
    assert prepared.users["raw"].to_pylist() == ["u", "v"]
    assert prepared.profile["dropped"] == {"rating below min_rating": 1, "rare user or item": 2}
    assert prepared.profile["read"] == 9


def test_filters_that_leave_nothing_say_which_to_lower(sets: Any) -> None:
    sets.write("a.csv", TABLE + "u,a,1,5\nu,b,2,1\nu,c,3,5\n")
    with pytest.raises(DataError, match="none of its 3 events") as error:
        sets.prepare("table", core_users=9)
    assert "data.core_users" in error.value.remedy


def test_a_split_that_leaves_no_rows_says_what_it_needs(sets: Any) -> None:
    sets.write("a.txt", "1 a\n2 b\n3 c\n")
    with pytest.raises(DataError, match="no validation rows") as error:
        sets.prepare("pairs", file="a.txt")
    assert "three events" in error.value.remedy


def test_a_given_split_has_to_be_given(sets: Any) -> None:
    sets.write("u.data", "1\t1\t5\t1\n")
    sets.write("u.item", "1|T (1995)|||" + "|0" * 19 + "\n")
    with pytest.raises(DataError, match="no split of their own"):
        sets.prepare("ml-100k", split="given", format="auto")


@pytest.mark.parametrize(
    ("changes", "cause"), [({"min_rating": 3.0}, "no ratings"), ({"split": "temporal"}, "no times")]
)
def test_a_filter_or_split_without_its_column_is_an_error(sets: Any, changes: dict[str, Any], cause: str) -> None:
    sets.write("a.txt", "1 a\n1 b\n1 c\n")
    with pytest.raises(DataError, match=cause) as error:
        sets.prepare("pairs", file="a.txt", **changes)
    assert "data.columns" in error.value.remedy


def test_the_hash_of_the_test_targets_changes_with_any_of_them(sets: Any) -> None:
    sets.write("a.txt", "1 a\n1 b\n1 c\n2 a\n2 b\n2 c\n")
    one = sets.prepare("pairs", file="a.txt")
    sets.write("a.txt", "1 a\n1 b\n1 c\n2 a\n2 c\n2 b\n")
    other = sets.prepare("pairs", file="a.txt")
    hashes = [one.profile["targets_hash"], other.profile["targets_hash"]]
    assert hashes[0] == targets_hash(one.test) and len(hashes[0]) == 12 and hashes[0] != hashes[1]


@pytest.mark.real
def test_movielens_100k_has_its_published_size(real_sets: Callable[[str], Any]) -> None:
    prepared = real_sets("ml-100k").prepare("ml-100k")
    profile = prepared.profile
    assert (profile["users"], profile["items"], profile["interactions"]) == (943, 1682, 100_000)
    assert profile["rows"] == {"train": 98_114, "validation": 943, "test": 943}
    assert prepared.items["raw"].to_pylist() == [str(number) for number in range(1, 1683)]
    assert prepared.items["title"][49].as_py() == "Star Wars" and profile["titles"]["missing"] == 0


@pytest.mark.real
def test_the_users_split_of_movielens_100k_is_the_published_one(real_sets: Callable[[str], Any]) -> None:
    """754/94/95 users, 68,389 training rows, and iLoRA's rows: the same users, targets and items up to ties."""
    real = real_sets("ml-100k")
    prepared = real.prepare("ml-100k-ilora")
    profile = prepared.profile
    assert (profile["users"], profile["items"]) == (943, 1682)
    assert profile["rows"] == {"train": 68_389, "validation": 94, "test": 95}
    assert profile["split_users"] | {"trained on only": 0} == {
        "train": 754,
        "validation": 94,
        "test": 95,
        "trained on only": 0,
        "in no part": 0,
    }
    interactions = real.read("ml-100k-ilora")
    users = prepared.users["raw"].to_pylist()
    raw_users, raw_items = interactions.users.to_pylist(), interactions.items.to_pylist()
    time = {
        (raw_users[user], int(raw_items[item])): int(time)
        for user, item, time in zip(interactions.user, interactions.item, interactions.time, strict=True)
    }
    for name, held in (("Val", prepared.validation), ("Test", prepared.test)):
        lines = (real.folder / "ilora_ref" / f"{name}_data.jsonl").read_text().splitlines()
        published = [json.loads(line) for line in lines]
        # The published rows name no user: a row is known by the times and items of its window.
        windows = set()
        for row in published:
            windows.add(frozenset(item + 1 for item, _ in row["seq"][: row["len_seq"]]) | {row["next"][0] + 1})
        matched = 0
        for row in range(len(held)):
            user = users[held.users[row]]
            last = held.items[max(held.start[row], held.stop[row] - 10) : held.stop[row] + 1].tolist()
            stamps = sorted(time[user, item] for item in last)
            every = held.items[held.start[row] : held.stop[row] + 1].tolist()
            fitting = [
                window
                for window in windows
                if all((user, item) in time for item in window)
                and sorted(time[user, item] for item in window) == stamps
                and window <= set(every)
            ]
            matched += len(fitting) == 1
        assert matched == len(held) == len(published)


@pytest.mark.real
def test_movielens_1m_has_the_published_size_and_all_titles(real_sets: Callable[[str], Any]) -> None:
    prepared = real_sets("ml-1m").prepare("ml-1m")
    profile = prepared.profile
    assert (profile["users"], profile["items"], profile["interactions"]) == (6040, 3416, 999_611)
    assert profile["titles"]["missing"] == 0


@pytest.mark.real
def test_lastfm_is_split_as_llara_split_it(real_sets: Callable[[str], Any]) -> None:
    prepared = real_sets("lastfm-llara").prepare("lastfm")
    profile = prepared.profile
    assert profile["rows"] == {"train": 50_800, "validation": 122, "test": 122}
    assert [profile["split_users"][part] for part in ("train", "validation", "test")] == [976, 122, 122]
    assert (profile["items"], profile["titles"]["missing"]) == (4606, 0)


@pytest.mark.real
def test_amazon_toys_has_its_published_size(real_sets: Callable[[str], Any]) -> None:
    profile = real_sets("amazon-toys-2014").prepare("amazon-toys").profile
    assert (profile["users"], profile["items"], profile["interactions"]) == (19_412, 11_924, 167_597)
    assert profile["titles"]["missing"] == 0 and np.isclose(profile["interactions"] / profile["users"], 8.63, atol=0.01)


@pytest.mark.parametrize("split", ["leave-one-out", "users", "temporal"])
@pytest.mark.parametrize("timed", [True, False])
def test_a_set_that_is_prepared_in_parts_is_the_same(
    sets: Any, split: str, timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    rows = [f"u{random.integers(23)},{random.integers(30)},{random.integers(40)}\n" for _ in range(600)]
    sets.write("x.csv", "user,item,time\n" + "".join(rows))
    if split == "temporal" and not timed:
        return  # refused
    columns = {"user": "user", "item": "item", "key": None, "time": "time" if timed else None}
    settings = sets.settings(
        "table", split=split, window=3, core_items=10, columns=columns | {"rating": None, "title": None, "text": None}
    )
    whole = prepare(settings, sets.read("table", columns=settings.columns.__dict__))
    for module, names in (
        ("filters", ("BLOCK",)), ("order", ("BLOCK", "SOME")), ("splits", ("BLOCK",)),
        ("stretches", ("BLOCK",)), ("ties", ("BLOCK",)), ("repeated_targets", ("BLOCK",)),
    ):  # fmt: skip
        for name in names:
            monkeypatch.setattr(f"engine.data.{module}.{name}", 17)
    parts = prepare(settings, sets.read("table", columns=settings.columns.__dict__), release=True)
    assert parts.profile == whole.profile and parts.items.equals(whole.items) and parts.users.equals(whole.users)
    for name in ("trained", "validation", "test"):
        one, other = vars(getattr(parts, name)), vars(getattr(whole, name))
        assert all(np.array_equal(one[key], other[key]) and one[key].dtype == other[key].dtype for key in one), name
