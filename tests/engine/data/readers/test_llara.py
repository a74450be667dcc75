"""LLaRA's rows become user sequences again."""

import json
from typing import Any

import pytest

from engine.data.stretches import histories
from engine.errors import DataError

NAMES = "".join(f"{number}::name {number}\n" for number in range(20))
PAD = 20


def row(history: list[int], target: int, rated: bool = False, width: int = 4) -> str:
    padded = history + [PAD] * (width - len(history))
    seq: list[Any] = [[item, 5] for item in padded] if rated else list(padded)
    return json.dumps({"seq": seq, "len_seq": max(len(history), 1), "next": [target, 4] if rated else target}) + "\n"


def windows(sequence: list[int], shortest: int = 0, rated: bool = False) -> str:
    """All windows of a user's sequence with at least ``shortest`` items in the history."""
    return "".join(row(sequence[max(k - 4, 0) : k], sequence[k], rated) for k in range(shortest, len(sequence)))


def files(sets: Any, train: str, validation: str = "", test: str = "", names: str = NAMES) -> None:
    sets.write("train_data.jsonl.gz", train)
    sets.write("Val_data.jsonl", validation or row([1, 2], 3))
    sets.write("Test_data.jsonl", test or row([4], 5))
    sets.write("id2name.txt", names)


@pytest.mark.parametrize("rated", [False, True])
def test_windows_become_the_users_they_were_cut_from(sets: Any, rated: bool) -> None:
    users = [[0, 1, 2, 3, 4, 5, 6], [3, 3, 3], [7], [1, 2, 3, 4, 5]]
    validation, test = row([8, 9], 10, rated), row([11, 12, 13, 14], 15, rated) + row([16], 17, rated)
    files(sets, "".join(windows(user, 0, rated) for user in users), validation, test)
    read = sets.read("lastfm")
    events: dict[str, list[int]] = {}
    for user, item in sets.events(read):
        events.setdefault(user, []).append(int(item))
    assert list(events.values()) == [*users, [8, 9, 10], [11, 12, 13, 14, 15], [16, 17]]
    assert read.part.tolist() == [0, 0, 0, 0, 1, 2, 2]


def test_windows_without_the_shortest_ones_still_tell_users_apart(sets: Any) -> None:
    users = [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9], [2, 3, 4, 5, 6, 7, 8]]
    files(sets, "".join(windows(user, 3) for user in users))
    read = sets.read("lastfm")
    assert [item for _, item in sets.events(read)[:17]] == [str(item) for user in users for item in user]
    assert read.part.tolist() == [0, 0, 0, 1, 2]


def test_ids_are_one_more_than_in_the_files_and_the_padding_is_no_item(sets: Any) -> None:
    files(sets, windows([0, 19, 5]))
    prepared = sets.prepare("lastfm")
    assert len(prepared.items) == 20 and prepared.items["title"][0].as_py() == "name 0"
    assert histories(prepared.trained).items.tolist() == [1, 20, 6]
    assert prepared.validation.targets.tolist() == [4] and prepared.test.targets.tolist() == [6]


def test_names_may_contain_the_separator(sets: Any) -> None:
    files(sets, windows([0, 1]), names=NAMES.replace("name 3", "Half::Life"))
    assert sets.titles(sets.read("lastfm"))["3"] == "Half::Life"


def test_movielens_rows_take_their_titles_from_u_item(sets: Any) -> None:
    files(sets, row([0, 1], 2, rated=True).replace("20", "3"), row([0], 1, width=1), row([1], 2, width=1))
    (sets.folder / "id2name.txt").unlink()
    sets.write("u.item", "".join(f"{k}|Film {k} (199{k})|||" + "|0" * 19 + "\n" for k in (1, 2, 3)))
    assert sets.titles(sets.read("lastfm")) == {"0": "Film 1", "1": "Film 2", "2": "Film 3"}


@pytest.mark.parametrize(
    ("train", "cause"),
    [
        (row([1], 2) + row([1], 25), "row 2 has an item that is not among the 20"),
        (row([1], 2) + row([1, 20, 2], 3), "row 2 has items after padding"),
        (row([1], 2) + row([1], 2, width=5), "row 2 has another length"),
    ],
)
def test_a_row_that_cannot_be_is_named(sets: Any, train: str, cause: str) -> None:
    files(sets, train)
    with pytest.raises(DataError) as error:
        sets.read("lastfm")
    assert cause in error.value.cause and error.value.remedy


def test_a_row_cut_short_is_named_with_its_line(sets: Any) -> None:
    files(sets, row([1], 2) + row([1, 2], 3)[:25])
    with pytest.raises(DataError, match="not a whole JSON object") as error:
        sets.read("lastfm")
    assert error.value.location.endswith("train_data.jsonl.gz:2")


@pytest.mark.parametrize("names", ["0::a\n2::b\n", "0::a\nx\n", "0:a\n"])
def test_names_with_gaps_or_without_ids_are_an_error(sets: Any, names: str) -> None:
    files(sets, row([0], 1), names=names)
    with pytest.raises(DataError, match=r"id::name|the ids are not"):
        sets.read("lastfm")
