"""Any table with named columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError


def columns(**changes: str | None) -> dict[str, Any]:
    usual = {"user": "who", "item": "what", "key": None, "time": "when", "rating": None, "title": None, "text": None}
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
    assert sets.titles(read) == {"b": "Bee"}


def test_titles_may_come_from_a_catalogue_beside(sets: Any) -> None:
    sets.write("x.csv", "who,what,when\nu,b,1\n")
    sets.write("items.csv", "what,name\na,Ant\nb,Bee\n")
    read = sets.read("table", file="x.csv", catalogue="items.csv", **columns(title="name"))
    assert sets.titles(read)["b"] == "Bee"


def test_the_catalogue_may_call_the_item_otherwise(sets: Any) -> None:
    sets.write("x.csv", "who,what,when\nu,b,1\n")
    sets.write("items.csv", "id,name,what\nb,Bee,other\n")
    read = sets.read("table", file="x.csv", catalogue="items.csv", **columns(title="name", key="id"))
    assert sets.titles(read) == {"b": "Bee"}


def test_a_parquet_file_is_read_like_a_table(sets: Any) -> None:
    when = [datetime(2024, 5, 31, 12), datetime(2024, 5, 31)]
    table = pa.table({"who": [10, 9], "what": ["a", "b"], "when": when, "stars": [1.5, 2.0], "name": ["A", None]})
    pq.write_table(table, sets.folder / "x.parquet")
    read = sets.read("table", **columns(rating="stars", title="name"))
    assert sets.events(read) == [("10", "a"), ("9", "b")] and read.rating.tolist() == [1.5, 2.0]
    assert read.time.tolist() == [1717156800000000, 1717113600000000]
    assert sets.titles(read) == {"a": "A"}


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
        sets.read("table", min_rating=0.0, **columns(rating="stars"))
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


def test_the_first_title_that_is_not_empty_counts(sets: Any) -> None:
    sets.write("x.csv", "who,what,when,name,about\nu,b,1,,\nu,a,2, ,\nv,b,3,Bee,\nv,b.,4,Wasp,buzz\nv,a,5,nan,\n")
    read = sets.read("table", **columns(title="name", text="about"))
    assert sets.titles(read) == {"b": "Bee", "b.": "Wasp"}
    sets.write("x.csv", "who,what,when,name\nu,7.0,1,\nu, 7,2,Seven\nu,7,3,Other\nu,8,3,\n")
    items = sets.prepare("table", **columns(title="name")).items
    assert items["raw"].to_pylist() == ["7", "8"] and items["title"].to_pylist() == ["Seven", "item 8"]


def test_ids_of_the_catalogue_are_those_of_the_interactions_however_they_are_written(sets: Any) -> None:
    sets.write("x.csv", "who,what,when\nu,7.0,1\nu,8.0,2\nu, 7,3\nu,9,4\n")
    sets.write("items.csv", "what,name\n7,\n7,Seven\n 8,Eight\n09,Nine\n")
    prepared = sets.prepare("table", file="x.csv", catalogue="items.csv", **columns(title="name"))
    assert prepared.items["title"].to_pylist() == ["Seven", "Eight", "item 9"]


@pytest.mark.parametrize("word", ["", "nan", "NULL", " "])
@pytest.mark.parametrize("where", ["who", "what", "catalogue"])
def test_a_word_for_no_id_is_refused_with_its_line(sets: Any, word: str, where: str) -> None:
    user, item, entry = (word if where == name else "1" for name in ("who", "what", "catalogue"))
    sets.write("x.csv", f"who,what,when\nu,a,1\n{user},{item},2\nNan,none,3\n")
    sets.write("items.csv", f"what,name\na,A\n{entry},B\n")
    with pytest.raises(DataError, match="there is no id") as error:
        sets.read("table", file="x.csv", catalogue="items.csv", **columns(title="name"))
    assert error.value.location.endswith("items.csv:3" if where == "catalogue" else "x.csv:3")


def test_empty_ratings_are_read_where_no_rating_is_looked_at(sets: Any) -> None:
    sets.write("x.csv", "who,what,when,stars\nu,a,1,4.5\nu,b,2,\nu,c,3,nan\n")
    read = sets.read("table", **columns(rating="stars"))
    assert len(read) == 3 and read.rating[0] == 4.5 and str(read.rating[1]) == "nan"
    with pytest.raises(DataError, match="stars is '', not a number") as error:
        sets.read("table", min_rating=1.0, **columns(rating="stars"))
    assert error.value.location.endswith("x.csv:3")
    sets.write("x.csv", "who,what,when,stars\nu,a,1,\nu,b,2,good\n")
    with pytest.raises(DataError, match="stars is 'good', not a number"):
        sets.read("table", **columns(rating="stars"))


NOON = 1717156800000000  # 2024-05-31 12:00:00 UTC in microseconds


@pytest.mark.parametrize(
    ("written", "later"),
    [
        ("2024-05-31T12:00:00Z", 0),
        ("2024-05-31T14:00:00+02:00", 0),
        ("2024-05-31 07:30:00-0430", 0),
        ("2024-05-31T12:00:00.5Z", 500_000),
        ("2024-05-31T12:00:00.123456789Z", 123_456),
    ],
)
def test_times_with_a_zone_are_the_moments_they_mean(sets: Any, written: str, later: int) -> None:
    sets.write("x.csv", f"who,what,when\nu,a,{written}\nu,b,2024-05-31T12:00:00Z\n")
    assert sets.read("table", **columns()).time.tolist() == [NOON + later, NOON]


def test_times_without_a_zone_may_have_nanoseconds(sets: Any) -> None:
    sets.write("x.csv", "who,what,when\nu,a,2024-05-31 12:00:00.000001999\nu,b,2024-05-31\n")
    assert sets.read("table", **columns()).time.tolist() == [NOON + 1, NOON - 43_200_000_000]


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        ("2024-05-31T12:00:00Z", "2024-05-31T12:00:00", "a date, and those before are each a date with a zone"),
        ("1717156800", "2024-05-31", "a date, and those before are each a number"),
        ("12:00:00", "13:00:00", "neither a number"),
    ],
)
def test_times_of_several_kinds_are_refused_with_the_line(sets: Any, first: str, second: str, cause: str) -> None:
    sets.write("x.csv", f"who,what,when\nu,a,{first}\nu,b,{second}\n")
    with pytest.raises(DataError, match=cause) as error:
        sets.read("table", **columns())
    assert error.value.location.endswith("x.csv:2" if first == "12:00:00" else "x.csv:3")


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (pa.timestamp("ns"), NOON * 1000 + 999),
        (pa.timestamp("us", "Europe/Berlin"), NOON),
        (pa.timestamp("ns", "UTC"), NOON * 1000 + 1),
        (pa.timestamp("s"), NOON // 10**6),
        (pa.string(), "2024-05-31T14:00:00+02:00"),
        (pa.string(), "2024-05-31 12:00:00.000000999"),
        (pa.dictionary(pa.int8(), pa.string()), "2024-05-31 12:00:00"),
    ],
)
def test_a_moment_in_a_parquet_file_is_the_same_in_any_type(sets: Any, type: pa.DataType, value: Any) -> None:
    when = pa.array([value], type.value_type).dictionary_encode() if pa.types.is_dictionary(type) else None
    when = pa.array([value]).cast(type) if when is None else when
    pq.write_table(pa.table({"who": ["u"], "what": ["a"], "when": when}), sets.folder / "x.parquet")
    assert sets.read("table", **columns()).time.tolist() == [NOON]


@pytest.mark.parametrize(
    ("type", "values", "wanted"),
    [
        (pa.date32(), [date(2024, 5, 31), date(2024, 6, 1)], [NOON - 43_200_000_000, NOON + 43_200_000_000]),
        (pa.decimal128(20, 2), [Decimal("17.00"), Decimal("18.00")], [17, 18]),
        (pa.decimal128(20, 2), [Decimal("17.50"), Decimal("18.00")], [17.5, 18.0]),
    ],
)
def test_dates_and_decimals_in_a_parquet_file_are_times(sets: Any, type: pa.DataType, values: Any, wanted: Any) -> None:
    table = pa.table({"who": ["u", "u"], "what": ["a", "b"], "when": pa.array(values).cast(type)})
    pq.write_table(table, sets.folder / "x.parquet")
    assert sets.read("table", **columns()).time.tolist() == wanted


@pytest.mark.parametrize(
    ("name", "values", "cause"),
    [
        ("when", pa.array([1, 2], pa.time64("us")), "times of day"),
        ("when", pa.array([1, 2], pa.duration("us")), "times of day or durations"),
        ("when", pa.array([1, 2**60], pa.timestamp("ms")), "times that do not fit"),
        ("when", pa.array(["5", "2024-05-31"]), "of several kinds"),
        ("who", pa.array([1.0, 2.0**60]), "too large to be an exact id"),
        ("who", pa.array([1.0, float("nan")]), "who is empty"),
        ("who", pa.array(["a", "NULL"]), "'NULL': there is no id"),
        ("who", pa.array([[1], [2]]), "holds list"),
        ("name", pa.array([[1], [2]]), "holds list"),
    ],
)
def test_values_of_a_parquet_file_that_cannot_be_are_refused(sets: Any, name: str, values: Any, cause: str) -> None:
    usual = {"who": ["u", "v"], "what": ["a", "b"], "when": [1, 2], "name": ["A", "B"]}
    pq.write_table(pa.table(usual | {name: values}), sets.folder / "x.parquet")
    with pytest.raises(DataError, match=cause) as error:
        sets.read("table", **columns(title="name"))
    assert "x.parquet, row" in error.value.location and error.value.remedy


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pa.array([1019.0, 7.0]), ["1019", "7"]),
        (pa.array([1e15, 7.0]), ["1000000000000000", "7"]),
        (pa.array([1.5, 7.0]), ["1.5", "7"]),
        (pa.array([Decimal("1019.00"), Decimal("7.00")]), ["1019", "7"]),
        (pa.array([" 1019", "7.0"]), ["1019", "7"]),
        (pa.array(["007", "7"]), ["007", "7"]),
    ],
)
def test_ids_of_any_type_of_a_parquet_file_have_one_spelling(sets: Any, values: Any, wanted: list[str]) -> None:
    pq.write_table(pa.table({"who": values, "what": ["a", "b"], "when": [1, 2]}), sets.folder / "x.parquet")
    assert sets.read("table", **columns()).users.to_pylist() == wanted


def test_missing_ratings_of_a_parquet_file_are_read_where_none_is_looked_at(sets: Any) -> None:
    table = pa.table({"who": ["u", "u"], "what": ["a", "b"], "when": [1, 2], "stars": [None, 2.0]})
    pq.write_table(table, sets.folder / "x.parquet")
    assert sets.read("table", **columns(rating="stars")).rating[1] == 2
    with pytest.raises(DataError, match="stars is empty"):
        sets.read("table", min_rating=1.0, **columns(rating="stars"))


@pytest.mark.parametrize(
    ("name", "mark"),
    [("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("\\t", "\t"), ("pipe", "|"), ("space", " "), ("#", "#")],
)
def test_a_separator_may_be_spelt_out(sets: Any, name: str, mark: str) -> None:
    sets.write("x.csv", mark.join(("who", "what", "when")) + "\n" + mark.join(("u", "a", "1")) + "\n")
    assert sets.events(sets.read("table", separator=name, **columns())) == [("u", "a")]


NUMBERED = {"user": "3", "item": "1", "key": None, "time": "2", "rating": None, "title": "4", "text": None}


@pytest.mark.parametrize("mark", ["", "\ufeff", "\n"])
def test_a_file_without_a_header_has_its_columns_by_number(sets: Any, mark: str) -> None:
    sets.write("x.csv", mark + 'a,5,u,"Ant, red"\nb,6,v,Bee\n')
    read = sets.read("table", columns=NUMBERED)
    assert sets.events(read) == [("u", "a"), ("v", "b")] and read.time.tolist() == [5, 6]
    assert sets.titles(read) == {"a": "Ant, red", "b": "Bee"}


def test_a_column_of_that_name_comes_before_a_number(sets: Any) -> None:
    sets.write("x.csv", "0,1,2,3\nAnt,a,5,u\n")
    read = sets.read("table", columns=NUMBERED | {"title": "0"})
    assert sets.events(read) == [("u", "a")] and sets.titles(read) == {"a": "Ant"}
    sets.write("x.csv", "3,1,2,4\na,5,u,Ant\n")  # no header: nobody counts so
    assert sets.events(sets.read("table", columns=NUMBERED)) == [("2", "3"), ("u", "a")]


def test_numbers_count_the_columns_of_a_header_where_others_are_named(sets: Any) -> None:
    sets.write("x.csv", "what,when,who,4th\na,5,u,Ant\n")
    read = sets.read("table", columns=NUMBERED | {"time": "when"})
    assert sets.events(read) == [("u", "a")] and sets.titles(read) == {"a": "Ant"}
    pq.write_table(pa.table({"what": ["a"], "when": [5], "who": ["u"], "x": ["Ant"]}), sets.folder / "y.parquet")
    assert sets.events(sets.read("table", file="y.parquet", columns=NUMBERED)) == [("u", "a")]


@pytest.mark.parametrize("wrong", ["5", "0", "01"])
def test_a_number_without_a_column_is_refused(sets: Any, wrong: str) -> None:
    sets.write("x.csv", "a,15,u,Ant\nb,16,v,Bee\n")
    with pytest.raises(DataError, match=f"no column '{wrong}'") as error:
        sets.read("table", columns=NUMBERED | {"user": wrong})
    assert "data.columns.user=1" in error.value.remedy


def test_a_header_that_would_be_an_event_is_refused(sets: Any) -> None:
    without = NUMBERED | {"time": None, "title": None}
    sets.write("x.csv", "what,when,who\n1,2,3\n4,5,6\n")
    with pytest.raises(DataError, match="where all others have whole numbers") as error:
        sets.read("table", columns=without)
    assert error.value.location.endswith("x.csv:1")
    sets.write("x.csv", "a,2,u\n4,5,6\nb,5,v\n")
    assert len(sets.read("table", columns=without)) == 3
