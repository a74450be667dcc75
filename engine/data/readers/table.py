"""Any CSV, TSV or Parquet table whose columns the settings name, with a catalogue beside it or titles inside it."""

from dataclasses import replace
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.config.settings.data import ColumnsSettings
from engine.data import raw_ids
from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.readers.delimited import (
    GAPPY,
    ID,
    NUMBER,
    TEXT,
    TIME,
    TIME_REMEDY,
    TYPES,
    Dialect,
    codes,
    first_row,
    numbers,
    table,
    time_problem,
    times,
)  # fmt: skip
from engine.data.readers.opened import binary, no_column
from engine.data.sources import Source, Sources
from engine.errors import DataError
from engine.runs.text import clean


def read(sources: Sources, columns: ColumnsSettings, dialect: Dialect, rated: bool) -> Interactions:
    """Titles come from the catalogue if there is one, else from the title and text columns of the interactions.

    A ``dialect`` without a separator has the one of the file's name; ``rated``: no rating may be missing.
    """
    source, apart = sources.parts[INTERACTIONS], sources.parts.get(CATALOGUE)
    kinds = {columns.user: ID, columns.item: ID}
    kinds |= {columns.time: TIME} if columns.time else {}
    kinds |= {columns.rating: NUMBER if rated else GAPPY} if columns.rating else {}
    titles = {name: TEXT for name in (columns.title, columns.text) if name}
    read = _table(source, kinds | ({} if apart else titles), dialect)
    item, items = codes(read[columns.item])
    catalogue = None
    if apart is not None:
        entries = _table(apart, {columns.item: ID} | titles, dialect)
        raw = entries[columns.item].cast(pa.string()).combine_chunks()
        catalogue = _catalogue(raw, *(_filled(entries, name) for name in (columns.title, columns.text)))
    elif titles and len(read):
        found = [_filled(read, name) for name in (columns.title, columns.text)]
        events = np.unique(np.concatenate([_first(item, texts) for texts in found]))  # in order of the file
        chosen = (None if texts is None else texts.take(pa.array(events)) for texts in found)
        catalogue = _catalogue(items.take(pa.array(item[events])), *chosen)
    return coded(
        codes(read[columns.user]),
        (item, items),
        times(read[columns.time]) if columns.time else None,
        numbers(read[columns.rating]) if columns.rating else None,
        catalogue,
    )


def _filled(read: pa.Table, name: str | None) -> pa.Array | None:  # [E] text
    """A column of texts, '' where the file has a word for nothing; None without a column."""
    if name is None:
        return None
    code, texts = codes(pc.fill_null(read[name].cast(pa.string()), ""))
    return pc.if_else(raw_ids.missing(texts), "", texts).take(pa.array(code))


def _first(item: NDArray[np.int32], texts: pa.Array | None) -> NDArray[np.int64]:  # [E], [E]
    """The first event of every item that has a text."""
    filled = np.zeros(0, dtype=np.int64) if texts is None else np.flatnonzero(np.asarray(pc.not_equal(texts, "")))
    return filled[np.unique(item[filled], return_index=True)[1]]


def _catalogue(raw: pa.Array, title: pa.Array | None, text: pa.Array | None) -> Catalogue:
    nothing = pa.array([""] * len(raw), pa.string())
    return Catalogue(raw, nothing if title is None else title, nothing if text is None else text, complete=False)


def _table(source: Source, kinds: dict[str, str], dialect: Dialect) -> pa.Table:
    """The columns under the names that were asked for.

    A number that is no name counts the columns from 1. Where numbers alone are asked for there is no header, unless
    the first line counts the columns itself, from 0.
    """
    if source.name.endswith((".parquet", ".pq")):
        return _parquet(source, kinds)
    usual = "\t" if source.name.endswith((".tsv", ".tab")) else ","
    dialect = replace(dialect, separator=dialect.separator or usual)
    if not any(name.isdecimal() for name in kinds):
        return table(source, dialect, kinds)
    first = first_row(source, dialect)
    position = {name: _position(name, len(first)) for name in kinds}
    if None in position.values() or first == [str(number) for number in range(len(first))]:
        own = {name: name if name in first or at is None else first[at] for name, at in position.items()}
        read = table(source, dialect, {own[name]: kind for name, kind in kinds.items()})
        return read.select([own[name] for name in kinds]).rename_columns([*kinds])
    read = table(source, replace(dialect, names=tuple(str(number + 1) for number in range(len(first)))), kinds)
    for name, kind in kinds.items():
        if kind == ID and len(read) > 1 and _is_header(read[name]):
            raise DataError(
                f"the first line has '{clean(read[name][0].as_py(), 60)}' where all others have whole numbers",
                location=f"{source}:1",
                remedy="If it is a header, name the columns as it does: data.columns.user=NAME.",
            )
    return read


def _position(name: str, count: int) -> int | None:
    """Where column number ``name`` of ``count`` stands, counted from 0; None when it is no such number."""
    return int(name) - 1 if name.isdecimal() and str(int(name)) == name and 0 < int(name) <= count else None


def _is_header(ids: pa.ChunkedArray) -> bool:
    """Whether the first id is the only one that is no whole number."""
    code, raw = codes(ids)
    other = np.flatnonzero(~np.asarray(pc.match_substring_regex(raw, r"^\s*-?\d+(\.0*)?\s*$"), dtype=bool))
    return len(other) == 1 and code[0] == other[0] and int((code == other[0]).sum()) == 1


def _parquet(source: Source, kinds: dict[str, str]) -> pa.Table:
    try:
        with binary(source) as file:
            stored = pq.ParquetFile(file)
            names = stored.schema_arrow.names
            chosen = {name: _position(name, len(names)) if name not in names else names.index(name) for name in kinds}
            missing = [name for name, position in chosen.items() if position is None]
            if missing:
                raise no_column(missing[0], names, str(source))
            own = [names[cast(int, position)] for position in chosen.values()]
            read = stored.read(own).select(own).rename_columns([*kinds])
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the file is no whole Parquet file ({error})", location=str(source), remedy="Fetch or copy it again."
        ) from error
    for name, kind in kinds.items():
        index = read.column_names.index(name)
        read = read.set_column(index, name, _of_kind(read[name], name, kind, source))
    return read


def _of_kind(column: pa.ChunkedArray, name: str, kind: str, source: Source) -> pa.ChunkedArray:
    """The column as its kind's type. Raises DataError with the row of the first value that is missing or not of it."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == ID and pa.types.is_floating(column.type):
        column = _whole_ids(column, name, source)
    if kind in (ID, TEXT):
        return _texts(column, name, kind, source)
    if kind != GAPPY and column.null_count:
        raise _wrong(source, np.asarray(column.is_null()), f"{name} is empty")
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        raise _wrong(source, np.ones(1, dtype=bool), f"{name} holds times of day or durations ({column.type})")
    found = (
        column if kind == TIME and (pa.types.is_temporal(column.type) or pa.types.is_floating(column.type)) else None
    )
    for type in () if found is not None else TYPES[kind]:
        try:
            found = column.cast(type, safe=kind == TIME)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        break
    if found is None:
        bad = np.array([not _castable(value, TYPES[kind]) for value in column])
        if not bad.any():
            raise _wrong(source, bad, f"{name} holds times of several kinds, such as '{clean(str(column[0]), 60)}'")
        raise _wrong(source, bad, f"{name} is '{clean(str(column[int(np.argmax(bad))]), 60)}', not a {kind}")
    if pa.types.is_floating(found.type):
        bad = np.asarray(pc.fill_null(pc.is_inf(found), False) if kind == GAPPY else pc.invert(pc.is_finite(found)))
        if bad.any():
            raise _wrong(source, bad, f"{name} is not a finite number")
    if kind == TIME:
        try:
            problem = time_problem(times(found))
        except pa.ArrowInvalid as error:
            raise _wrong(source, np.ones(1, dtype=bool), f"{name} has times that do not fit ({error})") from error
        if problem:
            raise DataError(problem[1], location=f"{source}, row {problem[0] + 1}", remedy=TIME_REMEDY)
    return found


def _whole_ids(column: pa.ChunkedArray, name: str, source: Source) -> pa.ChunkedArray:
    """Floats that are ids, as integers where all are whole. Above 2^53 several ids are the same float."""
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    bad = ~(np.abs(values) < 2**53)
    if bad.any():
        where = values[int(np.argmax(bad))]
        cause = "empty" if np.isnan(where) else f"{where}, a float too large to be an exact id"
        raise _wrong(source, bad, f"{name} is {cause}")
    return column.cast(pa.int64()) if bool((values == np.floor(values)).all()) else column


def _texts(column: pa.ChunkedArray, name: str, kind: str, source: Source) -> pa.ChunkedArray:
    """Ids or texts as dictionaries of texts."""
    try:
        found = column.dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _wrong(source, np.ones(1, dtype=bool), f"{name} holds {column.type}, not texts or numbers") from None
    if kind == ID:
        bad = np.asarray(pc.or_(found.is_null(), raw_ids.missing(found.cast(pa.string()))))
        if bad.any():
            word = column[int(np.argmax(bad))].as_py()
            raise _wrong(source, bad, f"{name} is {'empty' if word in (None, '') else repr(word)}: there is no id")
    return found


def _castable(value: pa.Scalar, types: tuple[pa.DataType, ...]) -> bool:
    for type in types:
        try:
            value.cast(type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        return True
    return False


def _wrong(source: Source, bad: NDArray[np.bool_], problem: str) -> DataError:
    return DataError(
        problem, location=f"{source}, row {int(np.argmax(bad)) + 1}", remedy="Correct the column or name another one."
    )
