"""Files with one JSON object a line, read in blocks by pyarrow. Only a file with a fault is looked at line by line."""

import ast
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from engine.data.readers.opened import binary, broken_line, empty_file
from engine.data.sources import Source
from engine.errors import DataError
from engine.runs.text import clean

BLOCK = 1 << 26  # bytes; a line has to fit
KINDS = {pa.string(): "a text", pa.float64(): "a number", pa.int64(): "a whole number of 64 bits"}


def table(source: Source, schema: pa.Schema | None, needed: Sequence[str], loose: bool = False) -> pa.Table:
    """The fields of ``schema`` (None: all, types as they come), one row per line; ``needed`` ones are never null.

    ``loose``: lines may also be Python literals. Raises DataError with the line of the first fault.
    """
    options = pyarrow.json.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="ignore" if schema else "infer"
    )
    try:
        with binary(source) as file:
            result = pyarrow.json.read_json(file, pyarrow.json.ReadOptions(block_size=BLOCK), options)
    except pa.ArrowInvalid as error:
        result = _line_by_line(source, schema, loose, str(error))
    for name in needed:
        if name not in result.column_names:
            raise lacking(source, name, 0)
        if result[name].null_count:
            raise lacking(source, name, int(np.argmax(result[name].is_null().to_numpy())))
    return result


def objects(source: Source, loose: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is not empty. Raises DataError with the line."""
    with binary(source) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _object(source, number, line, loose)


def _object(source: Source, number: int, line: bytes, loose: bool) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"a byte 0x{line[error.start]:02x} is no UTF-8, as JSON has to be",
            location=f"{source}:{number}",
            remedy="Convert the file to UTF-8.",
        ) from error
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        found = _literal(text) if loose else None
        if found is None:
            raise DataError(
                f"the line is not a whole JSON object ({error.msg})",
                location=f"{source}:{number}",
                remedy="Delete this line; if it is the last one, the file was cut short: fetch or copy it again.",
            ) from error
    if not isinstance(found, dict):
        raise broken_line(source, number, f"the line is not a JSON object but {clean(text.strip(), 60)}")
    return found


def _literal(text: str) -> Any:
    """A Python literal, as the Amazon files of 2014 have; None when it is none."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _line_by_line(source: Source, schema: pa.Schema | None, loose: bool, reason: str) -> pa.Table:
    """The same from Python's own parser, which names the line of a fault and knows loose lines."""
    found = [] if "Empty JSON file" in reason else list(objects(source, loose))
    if not found:
        raise empty_file(source)
    if schema is None:
        raise DataError(f"the lines differ in kind: {reason}", location=str(source), remedy="Correct the file.")
    columns = {}
    for field in schema:
        values = []
        for number, line in found:
            value = line.get(field.name)
            try:
                values.append(pa.scalar(value, field.type))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                problem = f"{field.name} is '{clean(str(value), 60)}', not {KINDS.get(field.type, field.type)}"
                raise broken_line(source, number, problem) from error
        columns[field.name] = pa.array([value.as_py() for value in values], field.type)
    return pa.table(columns)


def lacking(source: Source, name: str, index: int) -> DataError:
    """The error of an event without a field that it needs."""
    number = next(number for row, (number, _) in enumerate(objects(source, loose=True)) if row == index)
    return DataError(
        f"the line has no {name}",
        location=f"{source}:{number}",
        remedy="Correct or delete this line, or check that data.format is right.",
    )
