"""Any table with named columns."""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError


def columns(**changes: str | None) -> dict[str, Any]:
    usual = {"user": "who", "item": "what", "time": "when", "rating": None, "title": None, "text": None}
    return {"columns": usual | changes}


def test_columns_are_taken_by_their_names(sets: Any) -> None:
    sets.write("x.csv", 'skip,what,when,who\n1,"a,b",3,u1\n2,c,2,u2\n')
    read = sets.read("table", **columns())
    assert sets.events(read) == [("u1", "a,b"), ("u2", "c")] and read.time.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (("2024-05-31 12:00:00", "2024-05-31"), [1717156800000000, 1717113600000000]),
        (("1.5", "1"), [1.5, 1.0]),
        (("2", "1"), [2, 1]),
    ],
)
def test_a_time_is_a_number_or_a_date(sets: Any, times: tuple[str, str], wanted: list[float]) -> None:
    sets.write("x.csv", f"who,what,when\nu,a,{times[0]}\nu,b,{times[1]}\n")
    assert sets.read("table", **columns()).time.tolist() == wanted


def test_another_separator_can_be_set_and_a_tsv_has_tabs(sets: Any) -> None:
    sets.write("x.csv", "who;what;when\nu;a;1\n")
    assert sets.events(sets.read("table", separator=";", **columns())) == [("u", "a")]
    (sets.folder / "x.csv").rename(sets.folder / "x.tsv")
    sets.write("x.tsv", "who\twhat\twhen\nu\ta\t1\n")
    assert sets.events(sets.read("table", **columns())) == [("u", "a")]


def test_titles_inside_the_interactions_are_those_of_the_first_event(sets: Any) -> None:
    sets.write("x.csv", "who,what,when,name,about\nu,b,1,Bee,buzz\nu,a,2,,\nv,b,3,Other,\n")
    read = sets.read("table", **columns(title="name", text="about"))
    assert sets.titles(read) == {"b": "Bee", "a": ""}


def test_titles_may_come_from_a_catalogue_beside(sets: Any) -> None:
    sets.write("x.csv", "who,what,when\nu,b,1\n")
    sets.write("items.csv", "what,name\na,Ant\nb,Bee\n")
    read = sets.read("table", file="x.csv", catalogue="items.csv", **columns(title="name"))
    assert sets.titles(read)["b"] == "Bee"


def test_a_parquet_file_is_read_like_a_table(sets: Any) -> None:
    when = [datetime(2024, 5, 31, 12), datetime(2024, 5, 31)]
    table = pa.table({"who": [10, 9], "what": ["a", "b"], "when": when, "stars": [1.5, 2.0], "name": ["A", None]})
    pq.write_table(table, sets.folder / "x.parquet")
    read = sets.read("table", **columns(rating="stars", title="name"))
    assert sets.events(read) == [("10", "a"), ("9", "b")] and read.rating.tolist() == [1.5, 2.0]
    assert read.time.tolist() == [1717156800000000, 1717113600000000]
    assert sets.titles(read) == {"a": "A", "b": ""}


def test_text_numbers_in_a_parquet_file_are_numbers(sets: Any) -> None:
    pq.write_table(pa.table({"who": ["u"], "what": ["a"], "when": ["17"], "stars": ["4.5"]}), sets.folder / "x.parquet")
    read = sets.read("table", **columns(rating="stars"))
    assert read.time.tolist() == [17] and read.rating.tolist() == [4.5]


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"when": ["17", "soon"]}, "when is 'soon', not a time"),
        ({"stars": ["4.5", "good"]}, "stars is 'good', not a number"),
        ({"stars": [4.5, float("nan")]}, "stars is not a finite number"),
        ({"who": ["u", None]}, "who is empty"),
        ({"when": [5, -5]}, "the time -5 lies before 1970"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_row(sets: Any, values: dict[str, Any], cause: str) -> None:
    usual = {"who": ["u", "v"], "what": ["a", "b"], "when": [1, 2], "stars": [1.0, 2.0]}
    pq.write_table(pa.table(usual | values), sets.folder / "x.parquet")
    with pytest.raises(DataError) as error:
        sets.read("table", **columns(rating="stars"))
    assert cause in error.value.cause and error.value.location.endswith("x.parquet, row 2") and error.value.remedy


@pytest.mark.parametrize("packed", ["x.csv", "x.parquet"])
def test_a_missing_column_lists_those_there_are(sets: Any, packed: str) -> None:
    if packed.endswith("csv"):
        sets.write(packed, "a,b\n1,2\n")
    else:
        pq.write_table(pa.table({"a": [1], "b": [2]}), sets.folder / packed)
    with pytest.raises(DataError, match="no column 'who'") as error:
        sets.read("table", **columns())
    assert "a, b" in error.value.remedy and "data.columns" in error.value.remedy


def test_a_parquet_file_cut_short_is_an_error(sets: Any) -> None:
    pq.write_table(pa.table({"who": ["u"] * 1000}), sets.folder / "x.parquet")
    content = (sets.folder / "x.parquet").read_bytes()
    sets.write("x.parquet", content[: len(content) // 2])
    with pytest.raises(DataError, match="no whole Parquet file"):
        sets.read("table", **columns())


def test_a_table_needs_the_names_of_its_columns(sets: Any) -> None:
    sets.write("x.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match="not named"):
        sets.read("ml-1m")


def test_a_latin_1_table_is_read_when_it_is_said_to_be_one(sets: Any) -> None:
    sets.write("x.csv", "who,what,when,name\nu,a,1,Café\n".encode("latin-1"))
    with pytest.raises(DataError, match="no utf-8") as error:
        sets.read("table", **columns(title="name"))
    assert error.value.location.endswith("x.csv:2") and "data.encoding=latin-1" in error.value.remedy
    assert sets.titles(sets.read("table", encoding="latin-1", **columns(title="name"))) == {"a": "Café"}
