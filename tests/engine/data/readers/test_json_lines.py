"""JSON lines: read in blocks, and a fault is named with its line."""

from pathlib import Path

import pyarrow as pa
import pytest

from engine.data.readers.json_lines import objects, table
from engine.data.sources import Source
from engine.errors import DataError

SCHEMA = pa.schema([("name", pa.string()), ("count", pa.int64())])


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "x.json")


def test_fields_beside_the_schema_are_left_out_and_missing_ones_are_null(source: Source) -> None:
    source.path.write_text('{"name": "a", "count": 1, "more": [1]}\n\n{"name": "b"}\n')
    assert table(source, SCHEMA, ["name"]).to_pylist() == [{"name": "a", "count": 1}, {"name": "b", "count": None}]


def test_python_literals_are_read_where_lines_may_be_loose(source: Source) -> None:
    source.path.write_text("{'name': 'a', 'count': 2}\n{\"name\": \"b\", \"count\": 3}\n")
    assert table(source, SCHEMA, SCHEMA.names, loose=True).to_pylist() == [
        {"name": "a", "count": 2}, {"name": "b", "count": 3},
    ]  # fmt: skip
    with pytest.raises(DataError, match="not a whole JSON object") as error:
        table(source, SCHEMA, SCHEMA.names)
    assert error.value.location == f"{source}:1"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('{"name": "b", "count": "many"}', "count is 'many', not a whole number of 64 bits"),
        ('{"name": "b", "count": 1', "not a whole JSON object"),
        ("[1, 2]", r"not a JSON object but \[1, 2\]"),
        ('{"count": 1}', "the line has no name"),
    ],
)
def test_the_first_fault_is_named_with_its_line(source: Source, line: str, cause: str) -> None:
    source.path.write_text('{"name": "a", "count": 1}\n\n' + line + "\n")
    with pytest.raises(DataError, match=cause) as error:
        table(source, SCHEMA, SCHEMA.names)
    assert error.value.location == f"{source}:3" and error.value.remedy


def test_an_empty_file_is_an_error(source: Source) -> None:
    source.path.write_text("")
    with pytest.raises(DataError, match="empty"):
        table(source, SCHEMA, [])
    assert list(objects(source)) == []
