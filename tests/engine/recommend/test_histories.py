from pathlib import Path

import pytest

from engine.errors import DataError
from engine.recommend.histories import of_titles, read_histories
from engine.recommend.titles import Titles


@pytest.fixture(scope="module")
def catalogue() -> Titles:
    return Titles(["", "Toy Story", "GoldenEye", "Alien", "Twin", "Twin"], ["", "a", "b", "c", "d", "e"])


def test_lines_of_a_user_are_a_history_in_their_order(tmp_path: Path, catalogue: Titles) -> None:
    path = tmp_path / "h.csv"
    path.write_text("user,item\nann,b\nbob,Toy Story\nann,alien\n\nann,b\n", encoding="utf-8-sig")
    found = read_histories(path, catalogue)
    assert found.users == ["ann", "bob"]
    assert found.items.tolist() == [2, 3, 2, 1]
    assert found.offsets.tolist() == [0, 3, 4]
    assert found.unknown == []


def test_a_file_may_have_no_header_and_titles_with_commas(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text('1,"Usual Suspects, The"\n')
    assert read_histories(path, Titles(["", "The Usual Suspects"], ["", "x"])).items.tolist() == [1]


def test_unknown_items_are_told_with_the_nearest_titles_and_left_out(tmp_path: Path, catalogue: Titles) -> None:
    path = tmp_path / "h.csv"
    path.write_text("ann,Toy Stroy\nann,b\nbob,zzzz\nbob,Twin\n")
    found = read_histories(path, catalogue)
    assert found.users == ["ann"]
    assert found.items.tolist() == [2]
    assert found.unknown == [
        "h.csv, line 1: no item is called 'Toy Stroy'; nearest: 'Toy Story'",
        "h.csv, line 3: no item is called 'zzzz'",
        "h.csv, line 4: 2 items are called 'Twin'; their raw ids: d, e",
        "user bob: no known item, left out",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ann,b,c\n", "line 1: 3 cells"),
        (b"ann,b\n,c\n", "line 2: 2 cells"),
        (b"ann,zzzz\n", "no user has a known item; h.csv, line 1"),
        (b"", "no user has a known item"),
        (b"ann,\xff\xfe\n", "not a CSV in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_what_helps(
    tmp_path: Path, catalogue: Titles, content: bytes, message: str
) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_histories(path, catalogue)
    assert caught.value.remedy


def test_a_folder_is_no_file(tmp_path: Path, catalogue: Titles) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_histories(tmp_path, catalogue)


def test_a_missing_file_is_an_error(tmp_path: Path, catalogue: Titles) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_histories(tmp_path / "none.csv", catalogue)


def test_titles_of_one_person_must_all_be_known(catalogue: Titles) -> None:
    assert of_titles(catalogue, ["alien", "a"]).items.tolist() == [3, 1]
    with pytest.raises(DataError, match="nearest: 'Toy Story'"):
        of_titles(catalogue, ["Toy Storyy"])


def test_escape_sequences_in_a_title_do_not_reach_the_message(catalogue: Titles) -> None:
    with pytest.raises(DataError) as caught:
        of_titles(catalogue, ["\x1b[31mred"])
    assert "\x1b" not in str(caught.value)
