"""Any CSV, TSV or Parquet table whose columns the settings name, with a catalogue beside it or titles inside it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.config.settings.data import ColumnsSettings
from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.readers.delimited import (
    ID,
    NUMBER,
    TEXT,
    TIME,
    TIME_REMEDY,
    Dialect,
    codes,
    numbers,
    table,
    time_problem,
    times,
)  # fmt: skip
from engine.data.readers.opened import binary, no_column
from engine.data.sources import Source, Sources
from engine.errors import DataError
from engine.runs.text import clean


def read(sources: Sources, columns: ColumnsSettings, dialect: Dialect) -> Interactions:
    """Titles come from the catalogue if there is one, else from the title and text columns of the interactions.

    A ``dialect`` without a separator has the one of the file's name.
    """
    source, apart = sources.parts[INTERACTIONS], sources.parts.get(CATALOGUE)
    kinds = {columns.user: ID, columns.item: ID}
    kinds |= {columns.time: TIME} if columns.time else {}
    kinds |= {columns.rating: NUMBER} if columns.rating else {}
    titles = {name: TEXT for name in (columns.title, columns.text) if name}
    read = _table(source, kinds | ({} if apart else titles), dialect)
    item, items = codes(read[columns.item])
    catalogue = None
    if apart is not None:
        catalogue = _catalogue(_table(apart, {columns.item: ID} | titles, dialect), columns)
    elif titles and len(read):
        events = np.unique(item, return_index=True)[1]  # the first event of every item gives its title
        catalogue = _catalogue(read.select([columns.item, *titles]).take(pa.array(events)), columns)
    return coded(
        codes(read[columns.user]),
        (item, items),
        times(read[columns.time]) if columns.time else None,
        numbers(read[columns.rating]) if columns.rating else None,
        catalogue,
    )


def _catalogue(read: pa.Table, columns: ColumnsSettings) -> Catalogue:
    def column(name: str | None) -> pa.Array:
        if name is None:
            return pa.array([""] * len(read), pa.string())
        return pc.fill_null(read[name].cast(pa.string()), "").combine_chunks()

    return Catalogue(column(columns.item), column(columns.title), column(columns.text), complete=False)


def _table(source: Source, kinds: dict[str, str], dialect: Dialect) -> pa.Table:
    if source.name.endswith((".parquet", ".pq")):
        return _parquet(source, kinds)
    usual = "\t" if source.name.endswith((".tsv", ".tab")) else ","
    return table(source, replace(dialect, separator=dialect.separator or usual), kinds)


def _parquet(source: Source, kinds: dict[str, str]) -> pa.Table:
    try:
        with binary(source) as file:
            stored = pq.ParquetFile(file)
            missing = [name for name in kinds if name not in stored.schema_arrow.names]
            if missing:
                raise no_column(missing[0], stored.schema_arrow.names, str(source))
            read = stored.read(list(kinds))
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
    types = {ID: (pa.string(),), TEXT: (pa.string(),), NUMBER: (pa.float32(),), TIME: (pa.int64(), pa.timestamp("us"))}
    if kind != TEXT and column.null_count:
        raise _wrong(source, np.asarray(column.is_null()), f"{name} is empty")
    if kind in (ID, TEXT) and not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if kind in (ID, TEXT):
        return column.cast(pa.dictionary(pa.int32(), pa.string()))
    if kind == TIME and (pa.types.is_temporal(column.type) or pa.types.is_floating(column.type)):
        found = column
    else:
        found = None
        for type in types[kind]:
            try:
                found = column.cast(type, safe=kind == TIME)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
            break
        if found is None:
            bad = np.array([not _castable(value, types[kind]) for value in column])
            raise _wrong(source, bad, f"{name} is '{clean(str(column[int(np.argmax(bad))]), 60)}', not a {kind}")
    if pa.types.is_floating(found.type) and not pc.all(pc.is_finite(found)).as_py():
        raise _wrong(source, ~np.asarray(pc.is_finite(found)), f"{name} is not a finite number")
    problem = time_problem(times(found)) if kind == TIME else None
    if problem:
        raise DataError(problem[1], location=f"{source}, row {problem[0] + 1}", remedy=TIME_REMEDY)
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
