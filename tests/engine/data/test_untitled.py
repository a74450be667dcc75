"""The warning about items without a title."""

from pathlib import Path
from typing import Any

import pytest

from engine.data.readers import read
from engine.data.sources import find
from engine.data.untitled import untitled, warning


def warned(sets: Any, choice: str, **changes: Any) -> str:
    settings = sets.settings(choice, **changes)
    sources = find(settings, Path(sets.folder))
    interactions = read(settings, sources)
    items = sets.prepare(choice, **changes).items
    return warning(settings, Path(sets.folder), sources, interactions, items)


def events(items: int) -> str:
    return "".join(f"{user} " + " ".join(f"b{item}" for item in range(items)) + "\n" for user in range(3))


def test_a_missing_catalogue_lists_the_files_that_are_there(sets: Any) -> None:
    sets.write("user_sequence.txt", events(4))
    sets.write("names.txt", "b0 A\nb1 B\nb2 C\nb3 D\n")
    text = warned(sets, "sequences")
    assert "4 of 4 items have no title" in text and "'item b0'" in text
    assert "item_plain_text.txt" in text and "names.txt, user_sequence.txt" in text and "data.catalogue=FILE" in text
    assert warned(sets, "sequences", catalogue="names.txt") == ""


def test_a_catalogue_of_other_ids_is_named_with_an_example(sets: Any) -> None:
    sets.write("user_sequence.txt", events(4))
    sets.write("names.txt", "c0 A\nb1 B\n")
    text = warned(sets, "sequences", catalogue="names.txt")
    assert "3 of 4 items" in text and "names.txt has others, for example 'c0'" in text


@pytest.mark.parametrize(("lacking", "heard"), [(1, False), (2, True)])
def test_more_than_one_in_twenty_is_worth_a_warning(sets: Any, lacking: int, heard: bool) -> None:
    sets.write("user_sequence.txt", events(20))
    sets.write("names.txt", "".join(f"b{item} {'' if item < lacking else 'title'}\n" for item in range(20)))
    assert bool(warned(sets, "sequences", catalogue="names.txt")) == heard


def test_a_table_without_titles_names_the_column_that_could_have_them(sets: Any) -> None:
    sets.write("x.csv", "user,item,time,name\n" + "".join(f"u,{item},{item},\n" for item in range(4)))
    assert "data.columns.title=COLUMN" in warned(sets, "table")
    columns = {
        "user": "user",
        "item": "item",
        "key": None,
        "time": "time",
        "rating": None,
        "title": "name",
        "text": None,
    }
    assert "data.columns.title=name is empty" in warned(sets, "table", columns=columns)


def test_an_item_whose_title_is_its_id_has_none() -> None:
    assert untitled(["7", "8", ""], ["item 7", "Item 8", "x"]) == 1
