"""RecBole's atomic files."""

from typing import Any

import pytest

from engine.errors import DataError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti2\t4\t881250949.0\nu1\ti1\t5\t881250948\n"


def test_events_and_titles_are_read(sets: Any) -> None:
    sets.write("x.inter", INTER)
    sets.write(
        "x.item", "item_id:token\tmovie_title:token_seq\tclass:token_seq\ni1\tToy Story\tAnimation\ni2\tHeat\t\n"
    )
    read = sets.read("recbole")
    assert sets.events(read) == [("u1", "i2"), ("u1", "i1")]
    assert read.time.tolist() == [881250949, 881250948] and read.time.dtype.kind == "i"
    assert sets.titles(read) == {"i1": "Toy Story", "i2": "Heat"}
    assert read.catalogue.text.to_pylist() == ["Animation", ""]


def test_times_with_fractions_keep_them(sets: Any) -> None:
    sets.write("x.inter", INTER.replace("881250949.0", "881250948.5"))
    assert sets.read("recbole").time.tolist() == [881250948.5, 881250948.0]


def test_events_without_time_and_rating_are_read_in_order_of_the_file(sets: Any) -> None:
    sets.write("x.inter", "user_id:token\titem_id:token\nu1\ti2\n")
    read = sets.read("recbole")
    assert read.time is None and read.rating is None and read.catalogue is None


def test_other_column_names_come_from_the_settings(sets: Any) -> None:
    sets.write("x.inter", "who:token\tartist_id:token\tweight:float\nu1\ti2\t3\n")
    with pytest.raises(DataError, match="no column 'user_id'") as error:
        sets.read("recbole")
    assert "who, artist_id, weight" in error.value.remedy and "data.columns" in error.value.remedy
    columns = {
        "user": "who",
        "item": "artist_id",
        "key": None,
        "time": None,
        "rating": "weight",
        "title": None,
        "text": None,
    }
    assert sets.read("recbole", columns=columns).rating.tolist() == [3]


def test_a_header_without_types_is_an_error_with_the_alternative(sets: Any) -> None:
    sets.write("x.inter", "user_id\titem_id\nu1\ti2\n")
    with pytest.raises(DataError, match="does not name columns") as error:
        sets.read("recbole")
    assert "data.format=table" in error.value.remedy


def test_a_line_cut_short_is_named(sets: Any) -> None:
    sets.write("x.inter", INTER + "u2\ti")
    with pytest.raises(DataError) as error:
        sets.read("recbole")
    assert error.value.location.endswith("x.inter:4")


def test_a_catalogue_line_cut_short_is_named(sets: Any) -> None:
    sets.write("x.inter", INTER)
    sets.write("x.item", "item_id:token\tmovie_title:token_seq\ni1\n")
    with pytest.raises(DataError) as error:
        sets.read("recbole")
    assert error.value.location.endswith("x.item:2")


def test_a_catalogue_without_the_item_column_lists_its_columns(sets: Any) -> None:
    sets.write("x.inter", INTER)
    sets.write("x.item", "id:token\tmovie_title:token_seq\ni1\tx\n")
    with pytest.raises(DataError, match="no column 'item_id'") as error:
        sets.read("recbole")
    assert "id, movie_title" in error.value.remedy
