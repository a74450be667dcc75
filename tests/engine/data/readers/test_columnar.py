"""JSON lines and arrays as tables; Parquet is tested with the tables."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from engine.errors import DataError

ROWS = [
    {"user": {"id": 7, "name": "x"}, "item": "a", "time": "2024-05-31T12:00:00Z", "stars": None, "tags": ["t"]},
    {"user": {"id": 8}, "item": "b", "time": "2024-05-31T14:00:00+02:00", "stars": 4, "more": {"title": "Bee"}},
]
COLUMNS = {
    "user": "user.id",
    "item": "item",
    "key": None,
    "time": "time",
    "rating": "stars",
    "title": None,
    "text": None,
}


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.json", "x.jsonl.gz", "array.json"])
def test_json_is_read_as_a_table_with_nested_fields_by_their_path(sets: Any, name: str) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    sets.write(name, json.dumps(ROWS) if name == "array.json" else lines)
    read = sets.read("table", columns=COLUMNS | {"title": "more.title"})
    assert sets.events(read) == [("7", "a"), ("8", "b")] and sets.titles(read)["b"] == "Bee"
    assert read.time[0] == read.time[1] == 1717156800000000
    assert str(read.rating.tolist()) == "[nan, 4.0]"


def test_ids_that_are_numbers_here_and_texts_there_are_texts(sets: Any) -> None:
    lines = [{"user": 1, "item": "a", "time": 5}] * 3 + [{"user": "one", "item": "b", "time": 6}]
    sets.write("x.jsonl", "\n".join(map(json.dumps, lines)))
    read = sets.read("table", columns=COLUMNS | {"user": "user", "rating": None})
    assert sets.events(read)[2:] == [("1", "a"), ("one", "b")]


def test_an_id_and_a_title_that_look_like_dates_stay_as_they_are_written(sets: Any) -> None:
    lines = [{"user": "2024-05-31T12:00:00Z", "item": day, "title": day} for day in ("2024-05-31", "2024-06-01")]
    sets.write("x.jsonl", "\n".join(map(json.dumps, lines)))
    read = sets.read("table", columns=COLUMNS | {"user": "user", "time": None, "rating": None, "title": "title"})
    assert sets.events(read)[0] == ("2024-05-31T12:00:00Z", "2024-05-31")
    assert sets.titles(read) == {"2024-05-31": "2024-05-31", "2024-06-01": "2024-06-01"}


def test_a_field_that_only_late_lines_have_is_found(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.data.readers.json_lines.SAMPLE", 64)
    lines = [{"user": 1, "item": "a"}] * 9 + [{"user": 1, "item": "b", "name": "Bee"}]
    sets.write("x.jsonl", "\n".join(map(json.dumps, lines)))
    read = sets.read("table", columns=COLUMNS | {"user": "user", "rating": None, "time": None, "title": "name"})
    assert sets.titles(read) == {"b": "Bee"} and len(read) == 10


@pytest.mark.parametrize(
    ("content", "cause", "where"),
    [
        ('{"user": 1, "item": "a"}\n{"user": 1, "item"', "not a whole JSON object", "x.json:2"),
        ('{"user": 1, "item": "a"}\n{"user": null, "item": "a"}', "user is empty", "x.json, row 2"),
        ('{"user": 1, "thing": "a"}', "no column 'item'", "x.json"),
        ('[{"user": 1, "item": "a"}, 7]', "more than objects", "x.json"),
        ('[{"user": 1, "item": "a"}', "no whole JSON array", "x.json"),
        ('{"user": 1, "item": [1, 2]}', "holds list", "x.json, row 1"),
        ("[]", "empty", "x.json"),
        ("", "empty", "x.json"),
    ],
)
def test_what_is_no_table_is_refused_with_its_location(sets: Any, content: str, cause: str, where: str) -> None:
    sets.write("x.json", content)
    with pytest.raises(DataError, match=cause) as error:
        sets.read("table", columns=COLUMNS | {"user": "user", "time": None, "rating": None})
    assert error.value.location.endswith(where)


PLAIN = {"user": "user", "item": "item", "key": None, "time": "time", "rating": "stars", "title": "name", "text": None}


def test_a_parquet_file_that_is_read_in_parts_is_the_same(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    for piece in range(3):
        columns = {"user": draw.integers(9, size=50), "item": [f"i{n:02}" for n in draw.integers(20, size=50)]}
        columns |= {"time": draw.integers(40, size=50), "stars": draw.integers(1, 11, 50) / 2}
        columns |= {"name": [None if n % 3 else f"name {n}" for n in draw.integers(9, size=50)]}
        table = pa.table(columns)
        pa.parquet.write_table(table, sets.folder / f"p-{piece}.parquet", row_group_size=20)
    whole = sets.read("table", columns=PLAIN)
    monkeypatch.setattr("engine.data.readers.columnar.BLOCK", 7)
    monkeypatch.setattr("engine.data.readers.table.BLOCK", 7)
    monkeypatch.setattr("engine.data.readers.growing.PENDING", 3)
    parts = sets.read("table", columns=PLAIN)
    assert len(whole) == 150 and sets.events(parts) == sets.events(whole)
    assert parts.time.tolist() == whole.time.tolist() and parts.rating.tolist() == whole.rating.tolist()
    for name in ("raw", "title"):
        assert getattr(parts.catalogue, name).equals(getattr(whole.catalogue, name))


@pytest.mark.parametrize(
    ("column", "values", "cause"),
    [
        ("user", ["u"] * 8 + [None], "user is empty"),
        ("user", ["u"] * 8 + ["NULL"], "user is 'NULL'"),
        ("user", [1.0] * 8 + [2.0**60], "too large"),
        ("time", [5] * 8 + [-1], "before 1970"),
        ("stars", [1.0] * 8 + [float("inf")], "not a finite number"),
    ],
)
def test_a_fault_behind_the_first_part_is_named_by_its_row(
    sets: Any, monkeypatch: pytest.MonkeyPatch, column: str, values: list[Any], cause: str
) -> None:
    monkeypatch.setattr("engine.data.readers.columnar.BLOCK", 4)
    columns = {"user": ["u"] * 9, "item": ["i"] * 9, "time": [5] * 9, "stars": [1.0] * 9} | {column: values}
    pa.parquet.write_table(pa.table(columns), sets.folder / "x.parquet")
    with pytest.raises(DataError, match=cause) as error:
        sets.read("table", columns=PLAIN | {"title": None})
    assert error.value.location.endswith("x.parquet, row 9")
