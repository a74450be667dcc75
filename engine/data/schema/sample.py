"""The first rows of a table of any format: its columns, and how a delimited file is written."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.config.settings.data import SEPARATORS
from engine.data.pieces import partition
from engine.data.readers import json_lines
from engine.data.readers.opened import binary, empty_file
from engine.data.schema import delimited
from engine.data.schema.column import SampleColumn
from engine.data.sources import Source
from engine.errors import DataError

ROWS = 20_000


@dataclass(frozen=True)
class Writing:
    """What a person may have set about a delimited file; None: to be found."""

    separator: str | None = None  # as data.separator has it
    encoding: str | None = None
    quoted: bool = True


@dataclass(frozen=True)
class Sample:
    """The first rows of a table."""

    source: Source
    columns: tuple[SampleColumn, ...]
    whole: bool  # these are all rows
    header: bool | None = True  # None: the content does not show whether the first line is one
    separator: str = ""  # as data.separator has it, where the file's name does not say it
    encoding: str = ""  # as data.encoding has it, where it is not UTF-8

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    @cached_property
    def by_name(self) -> dict[str, SampleColumn]:
        return {column.name: column for column in self.columns if column.usable}


def sample(source: Source, writing: Writing) -> Sample:
    """The first rows of the first file of a table. Raises DataError for a file that cannot be read."""
    first = source.each()[0]
    if first.name.endswith((".parquet", ".pq")):
        found = _parquet(first)
    elif first.name.endswith((".jsonl", ".ndjson", ".json")):
        found = _json(first)
    else:
        found = _delimited(first, writing)
    given = partition(first.path, source.path)
    around = tuple(
        SampleColumn(name, (value,) * len(found)) for name, value in given.items() if name not in found.by_name
    )
    whole = found.whole and not source.pieces
    return Sample(source, (*found.columns, *around), whole, found.header, found.separator, found.encoding)


def _parquet(source: Source) -> Sample:
    try:
        with binary(source) as file:
            stored = pq.ParquetFile(file)
            batches = stored.iter_batches(batch_size=ROWS)
            rows = pa.table(next(batches, None) or stored.schema_arrow.empty_table())
            whole = rows.num_rows == stored.metadata.num_rows
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the file is no whole Parquet file ({error})", location=str(source), remedy="Fetch or copy it again."
        ) from error
    if not len(rows):
        raise empty_file(source)
    columns = tuple(_typed(name, rows[name]) for name in rows.column_names)
    return Sample(source, columns, whole)


def _json(source: Source) -> Sample:
    if json_lines.is_array(source):
        read = json_lines.array(source).slice(0, ROWS)
        return Sample(source, tuple(_typed(name, read[name]) for name in read.column_names), whole=True)
    rows: list[dict[str, Any]] = []
    size = 0
    whole = True
    for _, entry in json_lines.objects(source):
        if len(rows) == ROWS or size > delimited.BLOCK:
            whole = False
            break
        rows.append(json_lines.flat(entry))
        size += sum(len(str(value)) for value in entry.values())
    if not rows:
        raise empty_file(source)
    names = dict.fromkeys(name for row in rows for name in row)
    return Sample(source, tuple(_values(name, [row.get(name) for row in rows]) for name in names), whole)


def _delimited(source: Source, writing: Writing) -> Sample:
    text, encoding, whole = delimited.beginning(source, writing.encoding)
    usual = delimited.usual(source.name)
    given = SEPARATORS.get(writing.separator, writing.separator) if writing.separator else None
    separator = given or delimited.separator(text, usual, writing.quoted)
    rows = delimited.rows(text, separator, writing.quoted)[: ROWS + 1]
    if not rows:
        raise empty_file(source)
    header = delimited.has_header(rows)
    width = len(rows[0])
    names = rows[0] if header is not False else [str(number) for number in range(1, width + 1)]
    body = [row for row in (rows[1:] if header is not False else rows) if len(row) == width]
    twice = {name for name in names if names.count(name) > 1 or not name.strip()}
    columns = tuple(
        SampleColumn(name, tuple(row[index] for row in body), usable=name not in twice)
        for index, name in enumerate(names)
    )
    spelt = (
        "" if separator == usual else next((word for word, mark in SEPARATORS.items() if mark == separator), separator)
    )
    return Sample(source, columns, whole and len(rows) <= ROWS, header, writing.separator or spelt, encoding)


def _typed(name: str, column: pa.ChunkedArray) -> SampleColumn:
    if pa.types.is_nested(column.type):
        return SampleColumn(name, ("",) * len(column), nested=True)
    if (
        pa.types.is_temporal(column.type)
        and not pa.types.is_time(column.type)
        and not pa.types.is_duration(column.type)
    ):
        column = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False)
        return SampleColumn(name, tuple(value.isoformat(" ") if value else "" for value in column.to_pylist()))
    return _values(name, column.to_pylist())


def _values(name: str, values: list[Any]) -> SampleColumn:
    if any(isinstance(value, (list, dict)) for value in values):
        return SampleColumn(name, ("",) * len(values), nested=True)
    return SampleColumn(name, tuple("" if value is None else _cell(value) for value in values))


def _cell(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
