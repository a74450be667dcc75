"""Columns of large delimited files, read in blocks by pyarrow. Only a file with a fault is looked at line by line.

Letters: E events.
"""

import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from engine.data.raw_ids import MISSING, missing
from engine.data.readers.opened import binary, broken_line, empty_file, no_column, not_decodable
from engine.data.readers.quoting import quoted_breaks
from engine.data.sources import Source
from engine.errors import DataError
from engine.runs.text import clean

ID, NUMBER, GAPPY, TIME, TEXT = "id", "number", "number or nothing", "time", "text"
BLOCK = 1 << 24  # bytes that pyarrow parses at a time
WITHOUT_HEADER = ", or set data.separator; if the file has no header line, give numbers: data.columns.user=1"
UNIX_DIGITS = 9  # of a time in seconds since March 1973
TIME_REMEDY = (
    "Correct these times, or leave the column out: the order of the file then counts (data.columns.time=null)."
)
# Seconds, milliseconds, microseconds and nanoseconds of the years up to 5138: a set is in one of them.
_UNITS = np.array([1e11, 1e14, 1e17, 1e19])
csv.field_size_limit(sys.maxsize)  # a long field is no fault
_CODES = pa.dictionary(pa.int32(), pa.string())
_DATES = {
    "a date": (pa.timestamp("us"), pa.timestamp("ns")),
    "a date with a zone": (pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")),
}
DOTTED = "%d.%m.%Y"  # dates with dots name the day first, wherever they are written
# A time is a whole number, else a number, else a date: the first of these that the whole column is.
TYPES = {
    ID: (_CODES,),
    NUMBER: (pa.float32(),),
    GAPPY: (pa.float32(),),
    TEXT: (_CODES,),
    TIME: (pa.int64(), pa.float64(), *_DATES["a date"], *_DATES["a date with a zone"]),
}
_EMPTY = frozenset(pyarrow.csv.ConvertOptions().null_values)  # spellings of a number that is not there
_NO_ID = frozenset(MISSING.to_pylist())


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written. ``names`` of a file without a header line, in order; '' is left out."""

    separator: str
    names: tuple[str, ...] = ()  # empty: the first line has them
    quoted: bool = True
    encoding: str = "utf-8"


def table(source: Source, dialect: Dialect, kinds: Mapping[str, str]) -> pa.Table:
    """The columns in ``kinds`` (name -> ID, NUMBER, GAPPY, TIME or TEXT).

    Raises DataError with the line of the first value that is not of its kind, or of a quote that is not sound.
    """
    breaks, line = quoted_breaks(source, dialect.separator, dialect.encoding) if dialect.quoted else (0, 0)
    if breaks and source.warn is not None:
        source.warn(
            f"{source}:{line}: the first of {breaks:,} line breaks inside quotes. If a quote is there by mistake, the "
            "lines after it are lost: set data.quoted=false"
        )
    for time in TYPES[TIME]:
        types = {name: time if kind == TIME else TYPES[kind][0] for name, kind in kinds.items()}
        try:
            result = _read(source, dialect, types, breaks > 0)
        except pa.ArrowInvalid as error:
            if "CSV conversion error" in str(error) and time is not TYPES[TIME][-1] and TIME in kinds.values():
                continue
            raise _explained(source, dialect, kinds, str(error)) from error
        except pa.ArrowKeyError as error:
            raise _explained(source, dialect, kinds, str(error)) from error
        _refuse_gaps(source, dialect, kinds, result)
        return result
    raise AssertionError("the last type of a time returns or raises")


def first_row(source: Source, dialect: Dialect) -> list[str]:
    """The fields of the first line that is not empty; none of an empty file."""
    with binary(source) as file:
        text = io.TextIOWrapper(cast(io.BufferedReader, file), dialect.encoding, "replace", newline="")
        _, row = next(_rows(text, dialect), (0, []))
        text.detach()
    return [field.removeprefix("\ufeff") if not number else field for number, field in enumerate(row)]


def codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Code of every event [E], and the text of every code."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    else:
        column = column.cast(pa.string()).dictionary_encode()
    if not column.num_chunks:
        return np.zeros(0, dtype=np.int32), pa.array([], pa.string())
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return np.asarray(array.indices.to_numpy(zero_copy_only=False), dtype=np.int32), array.dictionary.cast(pa.string())


def numbers(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """A NUMBER or GAPPY column [E]; NaN where there is nothing."""
    return np.asarray(column.to_numpy(), dtype=np.float32)


def times(column: pa.ChunkedArray) -> NDArray[np.int64] | NDArray[np.float64]:
    """A TIME column [E]; floats that are whole numbers, and dates, as int64."""
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.timestamp("us"), safe=not str(column.type).startswith("timestamp[ns")).cast(pa.int64())
    values = column.to_numpy()
    if values.dtype.kind == "f":
        whole = bool(np.all(np.abs(values) < 2**53)) and bool(np.all(values == np.floor(values)))
        return values.astype(np.int64) if whole else np.asarray(values, dtype=np.float64)
    return np.asarray(values, dtype=np.int64)


def time_problem(time: NDArray[Any]) -> tuple[int, str] | None:
    """Position and fault of the first time that cannot be one: before 1970, or in another unit than the others."""
    if not len(time):
        return None
    if time.min() < 0:
        index = int(np.argmax(time < 0))
        return index, f"the time {time[index]} lies before 1970"
    positive = time[time > 0] if time.min() == 0 else time
    if len(positive) and np.searchsorted(_UNITS, positive.min()) != np.searchsorted(_UNITS, positive.max()):
        index = int(np.argmax(time > _UNITS[np.searchsorted(_UNITS, positive.min())]))
        return index, f"the time {time[index]} is too late, or in another unit than the earlier {positive.min()}"
    return None


def unit_of(time: float) -> int:
    """How many of a time's units are a second."""
    return int(1000 ** np.searchsorted(_UNITS, time))


def _read(source: Source, dialect: Dialect, types: Mapping[str, pa.DataType], breaks: bool) -> pa.Table:
    names = [name or f"unused {number}" for number, name in enumerate(dialect.names)]
    with binary(source) as file:
        return pyarrow.csv.read_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(
                block_size=BLOCK, encoding=dialect.encoding, column_names=names or None, use_threads=True
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char='"' if dialect.quoted else False,
                newlines_in_values=breaks,  # twice as slow
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict(types),
                include_columns=list(types),
                timestamp_parsers=[pyarrow.csv.ISO8601, DOTTED],
            ),
        )


def _refuse_gaps(source: Source, dialect: Dialect, kinds: Mapping[str, str], read: pa.Table) -> None:
    for name, kind in kinds.items():
        column = read[name]
        if kind == ID:
            bad = any(pc.any(missing(chunk.dictionary)).as_py() for chunk in column.chunks)
        elif kind == GAPPY:
            bad = pc.any(pc.is_inf(column)).as_py()
        else:
            infinite = pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py()
            bad = kind != TEXT and (column.null_count > 0 or infinite)
        if bad:
            raise _explained(source, dialect, kinds, f"column {name} has gaps")
        if kind == TIME:
            found = time_problem(times(column))
            if found:
                index, cause = found
                raise DataError(cause, location=f"{source}:{_line_of(source, dialect, index)}", remedy=TIME_REMEDY)
            _refuse_cut(source, dialect, times(column))


def _refuse_cut(source: Source, dialect: Dialect, time: NDArray[Any]) -> None:
    """A time at the end of a file that was cut short: it lacks the line's end, and digits that all others have."""
    if len(time) < 2 or time.dtype.kind != "i" or not 0 < time[-1] < time[:-1].min():
        return
    digits = len(str(time[:-1].min()))
    if digits < UNIX_DIGITS or len(str(time[-1])) == digits:
        return
    with binary(source) as file:
        decoded = _decoded(file.read(), dialect)
    *_, (line, row) = _rows(decoded, dialect)
    if not decoded.getvalue().endswith(("\n", "\r")) and row[-1].startswith(str(time[-1])):
        raise DataError(
            f"the last line has no line end, and its time {time[-1]} has fewer digits than every other: it was cut",
            location=f"{source}:{line}",
            remedy="Fetch or copy the file again; if the line is whole, end it with a line break.",
        )


def _explained(source: Source, dialect: Dialect, kinds: Mapping[str, str], reason: str) -> DataError:
    """The first line that is not as it should be, in words."""
    with binary(source) as file:
        content = file.read()
    if not content.strip():
        return empty_file(source)
    try:
        decoded = _decoded(content, dialect)
    except UnicodeDecodeError:
        return not_decodable(content, source, (dialect.encoding,))
    rows = _rows(decoded, dialect)
    names = list(dialect.names)
    if not names:
        _, names = next(rows)
        absent = [name for name in kinds if name not in names]
        if absent:
            return no_column(absent[0], names, f"{source}:1", WITHOUT_HEADER)
    forms: dict[str, str] = {}
    for number, row in rows:
        problem = _problem(row, names, kinds, dialect.separator, forms)
        if problem:
            return broken_line(source, number, problem)
    return DataError(
        f"the file cannot be read: {reason}", location=str(source), remedy="Check data.format and the file."
    )


def _line_of(source: Source, dialect: Dialect, index: int) -> int:
    """The line of the event with that index."""
    with binary(source) as file:
        decoded = _decoded(file.read(), dialect)
    return next(islice(_rows(decoded, dialect), index + (0 if dialect.names else 1), None))[0]


def _decoded(content: bytes, dialect: Dialect) -> io.StringIO:
    return io.StringIO(content.decode(dialect.encoding).removeprefix("\ufeff"), newline="")


def _rows(text: Iterable[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """First line and fields of every record that is not empty."""
    if dialect.quoted:
        reader = csv.reader(text, delimiter=dialect.separator)
    else:
        reader = csv.reader(text, delimiter=dialect.separator, quoting=csv.QUOTE_NONE)
    line = 1
    for row in reader:
        if row:
            yield line, row
        line = reader.line_num + 1


def _problem(
    row: Sequence[str], names: Sequence[str], kinds: Mapping[str, str], separator: str, forms: dict[str, str]
) -> str:
    """``forms``: how the times of every column were written so far."""
    if len(row) != len(names):
        return f"the line '{clean(separator.join(row), 60)}' is not '{clean(separator.join(names))}'"
    for name, value in zip(names, row, strict=True):
        kind = kinds.get(name, TEXT)
        if kind == ID and value.strip() in _NO_ID:
            return f"{name} is {clean(repr(value), 60) if value.strip() else 'empty'}: there is no id"
        if kind == NUMBER or (kind == GAPPY and value not in _EMPTY):
            if not _is_number(value):
                return f"{name} is '{clean(value, 60)}', not a number"
        elif kind == TIME:
            form = _form(value)
            if not form:
                dates = "a date like 2024-05-31 12:00:00 or 31.05.2024"
                return f"{name} is '{clean(value, 60)}', neither a number of 64 bits nor {dates}"
            if form != forms.setdefault(name, form):
                return f"{name} is '{clean(value, 60)}', {form}, and those before are each {forms[name]}"
    return ""


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _form(value: str) -> str:
    """How a time is written; '' when it is none."""
    if _is_number(value):
        return "a number" if abs(float(value)) < 2**63 else ""
    for form, types in _DATES.items():
        for type in types:
            try:
                pa.array([value]).cast(type)
            except pa.ArrowInvalid:
                continue
            return form
    return "a date with dots" if is_dotted(value) else ""


def is_dotted(value: str) -> bool:
    """Whether a text is a date like 31.05.2024."""
    return bool(pc.strptime([value], format=DOTTED, unit="us", error_is_null=True)[0].is_valid)
