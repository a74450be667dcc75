"""Files of lines without times."""

from typing import Any

import pytest

from engine.errors import DataError


@pytest.mark.parametrize("separator", [" ", "\t", ","])
def test_pairs_are_read_in_order_of_the_file(sets: Any, separator: str) -> None:
    sets.write("a.txt", f"2{separator}9\n1{separator}9\n2{separator}3\n")
    read = sets.read("pairs", file="a.txt")
    assert sets.events(read) == [("2", "9"), ("1", "9"), ("2", "3")]
    assert read.time is None and read.catalogue is None


@pytest.mark.parametrize("line", ["3", "3 4 5", "3 "])
def test_a_line_that_is_no_pair_is_named(sets: Any, line: str) -> None:
    sets.write("a.txt", f"1 2\n{line}\n1 3\n")
    with pytest.raises(DataError) as error:
        sets.read("pairs", file="a.txt")
    assert error.value.location.endswith("a.txt:2")


@pytest.mark.parametrize("choice", ["pairs", "sequences"])
def test_an_empty_file_is_an_error(sets: Any, choice: str) -> None:
    sets.write("a.txt", "\n")
    with pytest.raises(DataError, match="empty"):
        sets.read(choice, file="a.txt")


def test_titles_are_joined_through_the_map_of_ids(sets: Any) -> None:
    sets.write("ml-1m.txt", "1 1\n1 2\n1 3\n")
    sets.write("sas_to_original_items.txt", "1 1198\n2 3552\n3 4711\n")
    sets.write("movies.dat", "3552::Caddyshack (1980)::Comedy\n1198::Raiders (1981)::Action\n")
    read = sets.read("pairs")
    assert sets.titles(read) == {"1": "Raiders", "2": "Caddyshack", "3": ""}
    assert sets.prepare("pairs").items["title"].to_pylist() == ["Raiders", "Caddyshack", "item 3"]


def test_titles_without_a_map_stand_under_the_same_ids(sets: Any) -> None:
    sets.write("a.txt", "1 x7\n")
    sets.write("names.txt", "x7 a quiet   harbour\n\nx8 other\n")
    assert sets.titles(sets.read("pairs", file="a.txt", catalogue="names.txt"))["x7"] == "a quiet   harbour"


def test_an_id_without_a_text_is_an_item_without_a_title(sets: Any) -> None:
    sets.write("a.txt", "1 x7 x8\n")
    sets.write("names.txt", "x7 fine\nx8 \n")
    read = sets.read("sequences", file="a.txt", catalogue="names.txt")
    assert sets.titles(read) == {"x7": "fine", "x8": ""}


def test_an_id_without_another_is_named(sets: Any) -> None:
    sets.write("ml-1m.txt", "1 2\n")
    sets.write("movies.dat", "7::Fine (1990)::Drama\n")
    sets.write("sas_to_original_items.txt", "2 7\n3\n")
    with pytest.raises(DataError) as error:
        sets.read("pairs")
    assert error.value.location.endswith("sas_to_original_items.txt:2")


def test_a_word_for_no_id_among_sequences_is_named(sets: Any) -> None:
    sets.write("user_sequence.txt", "A b1 b2\n\nB b2 NULL\n")
    with pytest.raises(DataError, match="'NULL'") as error:
        sets.read("sequences")
    assert error.value.location.endswith("user_sequence.txt:3")


def test_sequences_are_read_user_by_user(sets: Any) -> None:
    sets.write("user_sequence.txt.gz", "A b1 b2\r\n\nB b2\n A b3\tb1 \n")
    read = sets.read("sequences")
    assert sets.events(read) == [("A", "b1"), ("A", "b2"), ("B", "b2"), ("A", "b3"), ("A", "b1")]


def test_a_user_without_items_is_named(sets: Any) -> None:
    sets.write("user_sequence.txt", "A b1 b2\nB\n")
    with pytest.raises(DataError, match="'B'") as error:
        sets.read("sequences")
    assert error.value.location.endswith("user_sequence.txt:2")


def test_a_sequence_file_in_another_encoding_is_named_with_the_remedy_that_works(sets: Any) -> None:
    sets.write("user_sequence.txt", "Jérôme b1 b2\n".encode("latin-1"))
    with pytest.raises(DataError) as error:
        sets.read("sequences")
    assert error.value.location.endswith(":1") and "data.encoding=latin-1" in error.value.remedy
    assert sets.events(sets.read("sequences", encoding="latin-1"))[0] == ("Jérôme", "b1")
