"""Columns of files that carry types, Parquet and JSON lines, as the kinds of columns that a table has.

Letters: E events.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.data import raw_ids
from engine.data.readers import json_lines
from engine.data.readers.delimited import DOTTED, GAPPY, ID, TEXT, TIME, TIME_REMEDY, TYPES, time_problem, times
from engine.data.readers.growing import Part, texts_of
from engine.data.readers.opened import binary, no_column
from engine.data.sequences import BLOCK
from engine.data.sources import Source
from engine.errors import DataError
from engine.runs.text import clean

Wrong = Callable[[NDArray[np.bool_], str], DataError]  # which rows are wrong, and what is wrong with them


def position_of(name: str, count: int) -> int | None:
    """Where column number ``name`` of ``count`` stands, counted from 0; None when it is no such number."""
    return int(name) - 1 if name.isdecimal() and str(int(name)) == name and 0 < int(name) <= count else None


def parquet(source: Source, kinds: dict[str, str]) -> Iterator[Part]:
    """The columns in ``kinds`` (name, or number from 1 -> kind), some rows at a time."""
    try:
        with binary(source) as file:
            stored = pq.ParquetFile(file)
            names = stored.schema_arrow.names
            chosen = {name: position_of(name, len(names)) if name not in names else names.index(name) for name in kinds}
            missing = [name for name, position in chosen.items() if position is None]
            if missing:
                raise no_column(missing[0], names, str(source))
            own = [names[cast(int, position)] for position in chosen.values()]
            first = 0
            for batch in stored.iter_batches(BLOCK, columns=own):
                read = pa.Table.from_batches([batch]).select(own).rename_columns([*kinds])
                yield Part(_typed(read, kinds, source, first), source, first)
                first += len(batch)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the file is no whole Parquet file ({error})", location=str(source), remedy="Fetch or copy it again."
        ) from error


def json_table(source: Source, kinds: dict[str, str]) -> Part:
    """The fields in ``kinds`` of JSON lines, or of a JSON array of objects; ``user.id`` is the field id of user."""
    read = json_lines.array(source) if json_lines.is_array(source) else json_lines.fields(source, list(kinds))
    missing = [name for name in kinds if name not in read.column_names]
    if missing:
        raise no_column(missing[0], read.column_names, str(source))
    return Part(_typed(read, kinds, source), source)


def _typed(read: pa.Table, kinds: dict[str, str], source: Source, first: int = 0) -> dict[str, pa.ChunkedArray]:
    columns = dict(zip(read.column_names, read.columns, strict=True))
    del read
    return {name: typed(columns.pop(name), name, kind, source, first) for name, kind in kinds.items()}


def typed(column: Any, name: str, kind: str, source: Source, first: int = 0) -> pa.ChunkedArray:
    """The column as its kind's type, ids and texts as codes of whole numbers or texts; ``first``: row of the file.

    Raises DataError with the row of the first value that is missing or not of its kind.
    """

    def wrong(bad: NDArray[np.bool_], problem: str) -> DataError:
        return _wrong(source, first, bad, problem)

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == ID and pa.types.is_floating(column.type):
        column = _whole_ids(column, name, wrong)
    if kind in (ID, TEXT):
        return _coded(column, name, kind, wrong)
    if kind != GAPPY and column.null_count:
        raise wrong(np.asarray(column.is_null()), f"{name} is empty")
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        raise wrong(np.ones(1, dtype=bool), f"{name} holds times of day or durations ({column.type})")
    found = (
        column if kind == TIME and (pa.types.is_temporal(column.type) or pa.types.is_floating(column.type)) else None
    )
    for type in () if found is not None else TYPES[kind]:
        try:
            found = column.cast(type, safe=kind == TIME)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        break
    texts = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if found is None and kind == TIME and texts:
        dates = pc.strptime(column, format=DOTTED, unit="us", error_is_null=True)
        found = None if dates.null_count else dates
    if found is None:
        bad = np.array([not _castable(value, TYPES[kind]) for value in column])
        if not bad.any():
            raise wrong(bad, f"{name} holds times of several kinds, such as '{clean(str(column[0]), 60)}'")
        raise wrong(bad, f"{name} is '{clean(str(column[int(np.argmax(bad))]), 60)}', not a {kind}")
    if pa.types.is_floating(found.type):
        bad = np.asarray(pc.fill_null(pc.is_inf(found), False) if kind == GAPPY else pc.invert(pc.is_finite(found)))
        if bad.any():
            raise wrong(bad, f"{name} is not a finite number")
    if kind == TIME:
        try:
            problem = time_problem(times(found))
        except pa.ArrowInvalid as error:
            raise wrong(np.ones(1, dtype=bool), f"{name} has times that do not fit ({error})") from error
        if problem:
            raise DataError(problem[1], location=f"{source}, row {first + problem[0] + 1}", remedy=TIME_REMEDY)
    return found


def _whole_ids(column: pa.ChunkedArray, name: str, wrong: Wrong) -> pa.ChunkedArray:
    """Floats that are ids, as integers where all are whole. Above 2^53 several ids are the same float."""
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    bad = ~(np.abs(values) < 2**53)
    if bad.any():
        where = values[int(np.argmax(bad))]
        cause = "empty" if np.isnan(where) else f"{where}, a float too large to be an exact id"
        raise wrong(bad, f"{name} is {cause}")
    return column.cast(pa.int64()) if bool((values == np.floor(values)).all()) else column


def _coded(column: pa.ChunkedArray, name: str, kind: str, wrong: Wrong) -> pa.ChunkedArray:
    """Ids or texts as dictionaries of texts; whole numbers stay numbers: they are texts when all are known."""
    found = column
    try:
        found = column.dictionary_encode()
        if not pa.types.is_integer(column.type):
            found = found.cast(pa.dictionary(pa.int32(), pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise wrong(np.ones(1, dtype=bool), f"{name} holds {column.type}, not texts or numbers") from None
    if kind == ID and (found.null_count or any(_words_for_nothing(chunk.dictionary) for chunk in found.chunks)):
        bad = np.asarray(pc.or_(found.is_null(), raw_ids.missing(texts_of(found))))
        word = column[int(np.argmax(bad))].as_py()
        raise wrong(bad, f"{name} is {'empty' if word in (None, '') else repr(word)}: there is no id")
    return found


def _words_for_nothing(values: pa.Array) -> bool:
    return not pa.types.is_integer(values.type) and bool(pc.any(raw_ids.missing(values)).as_py())


def _castable(value: pa.Scalar, types: tuple[pa.DataType, ...]) -> bool:
    for type in types:
        try:
            value.cast(type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        return True
    return False


def _wrong(source: Source, first: int, bad: NDArray[np.bool_], problem: str) -> DataError:
    row = first + int(np.argmax(bad)) + 1
    return DataError(problem, location=f"{source}, row {row}", remedy="Correct the column or name another one.")
