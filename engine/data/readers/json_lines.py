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
SAMPLE = 1 << 22  # bytes from which the types of fields are inferred
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


def fields(source: Source, names: Sequence[str]) -> pa.Table:
    """The fields with these names, ``a.b`` for the field b of a; one that no line has is left out.

    Types are those of the first lines; where later ones differ, values are texts as JSON writes them.
    """
    try:
        with binary(source) as file:
            block = file.read(SAMPLE)
        whole = block[: block.rfind(b"\n") + 1] or block
        found = pyarrow.json.read_json(pa.BufferReader(whole), pyarrow.json.ReadOptions(block_size=SAMPLE)).schema
        wanted = [field for field in (_pruned(field, "", names) for field in found) if field is not None]
        if set(names) <= {name for field in wanted for name in _leaves(field, "")}:
            return flattened(table(source, pa.schema(wanted), ()))
    except (pa.ArrowInvalid, DataError):
        pass  # the reading below names the line of a fault
    rows = [flat(entry) for _, entry in objects(source)]
    if not rows:
        raise empty_file(source)
    present = [name for name in names if any(name in row for row in rows)]
    return pa.table({name: _column([row.get(name) for row in rows]) for name in present})


def is_array(source: Source) -> bool:
    """Whether the file is one JSON array instead of an object a line."""
    with binary(source) as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def array(source: Source) -> pa.Table:
    """The objects of a JSON array as a table of all their fields, nested ones as ``a.b``."""
    with binary(source) as file:
        content = file.read()
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"the file is no whole JSON array ({error})", location=str(source), remedy="Fetch or copy it again."
        ) from error
    if not found:
        raise empty_file(source)
    if not all(isinstance(entry, dict) for entry in found):
        raise DataError("the JSON array holds more than objects", location=str(source), remedy="One object an event.")
    rows = [flat(entry) for entry in found]
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def flattened(read: pa.Table) -> pa.Table:
    """A table whose structs are columns of their own, ``a.b`` for the field b of a."""
    while any(pa.types.is_struct(field.type) for field in read.schema):
        read = read.flatten()
    return read


def flat(entry: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in entry.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _column(values: list[Any]) -> pa.Array:
    """Values of one type as they are, of several as the texts that JSON writes."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        texts = [value if isinstance(value, str) or value is None else json.dumps(value) for value in values]
        return pa.array(texts, pa.string())


def _pruned(field: pa.Field, prefix: str, names: Sequence[str]) -> pa.Field | None:
    """The field with what is asked for below it; what looks like a date stays the text that it is."""
    name = prefix + field.name
    if pa.types.is_struct(field.type):
        kept = [part for part in (_pruned(part, name + ".", names) for part in field.type) if part is not None]
        return pa.field(field.name, pa.struct(kept)) if kept else None
    if name not in names:
        return None
    return pa.field(field.name, pa.string() if pa.types.is_temporal(field.type) else field.type)


def _leaves(field: pa.Field, prefix: str) -> Iterator[str]:
    if pa.types.is_struct(field.type):
        for part in field.type:
            yield from _leaves(part, f"{prefix}{field.name}.")
    else:
        yield prefix + field.name


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
