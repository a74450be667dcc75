"""Any CSV, TSV, Parquet or JSON table whose columns the settings name; titles inside it or in a catalogue beside it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.config.settings.data import ColumnsSettings
from engine.data import raw_ids
from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.pieces import partition
from engine.data.readers.columnar import json_table, parquet, position_of, typed
from engine.data.readers.delimited import (
    GAPPY,
    ID,
    NUMBER,
    TEXT,
    TIME,
    Dialect,
    codes,
    first_row,
    numbers,
    table,
    times,
)  # fmt: skip
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
    read = _columns(_table(source, kinds | ({} if apart else titles), dialect))
    item, items = codes(_taken(read, columns.item, columns.user, columns.time, columns.rating))
    catalogue = None
    if apart is not None:
        key = columns.key or columns.item
        entries = _columns(_table(apart, {key: ID} | titles, dialect))
        raw = entries[key].cast(pa.string()).combine_chunks()
        catalogue = _catalogue(raw, *(_filled(entries, name) for name in (columns.title, columns.text)))
    elif titles and len(item):
        found = [_filled(read, name) for name in (columns.title, columns.text)]
        events = np.unique(np.concatenate([_first(item, texts) for texts in found]))  # in order of the file
        chosen = (None if texts is None else texts.take(pa.array(events)) for texts in found)
        catalogue = _catalogue(items.take(pa.array(item[events])), *chosen)
    return coded(
        codes(_taken(read, columns.user, columns.time, columns.rating)),
        (item, items),
        times(_taken(read, columns.time, columns.rating)) if columns.time else None,
        numbers(_taken(read, columns.rating)) if columns.rating else None,
        catalogue,
    )


def _columns(read: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(read.column_names, read.columns, strict=True))


def _taken(read: dict[str, pa.ChunkedArray], name: str, *needed: str | None) -> pa.ChunkedArray:
    """A column, taken out unless it is ``needed`` again: it gives its memory back before the next one is converted."""
    return read[name] if name in needed else read.pop(name)


def _filled(read: Mapping[str, pa.ChunkedArray], name: str | None) -> pa.Array | None:  # [E] text
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
    """The columns under the names that were asked for, of all pieces of the table."""
    if not source.pieces:
        return _file(source, kinds, dialect)
    found = [_piece(piece, source, kinds, dialect) for piece in source.each()]
    return pa.concat_tables(found, promote_options="permissive")  # whole times here, and fractions there


def _piece(piece: Source, whole: Source, kinds: dict[str, str], dialect: Dialect) -> pa.Table:
    """The columns of a piece, with those that the folders around it stand for."""
    given = {name: value for name, value in partition(piece.path, whole.path).items() if name in kinds}
    read = _file(piece, {name: kind for name, kind in kinds.items() if name not in given}, dialect)
    for name, value in given.items():
        read = read.append_column(name, typed(pa.array([value] * len(read)), name, kinds[name], piece))
    return read.select([*kinds])


def _file(source: Source, kinds: dict[str, str], dialect: Dialect) -> pa.Table:
    """The columns of a file.

    A number that is no name counts the columns from 1. Where numbers alone are asked for there is no header, unless
    the first line counts the columns itself, from 0.
    """
    if source.name.endswith((".parquet", ".pq")):
        return parquet(source, kinds)
    if source.name.endswith((".jsonl", ".ndjson", ".json")):
        return json_table(source, kinds)
    usual = "\t" if source.name.endswith((".tsv", ".tab")) else ","
    dialect = replace(dialect, separator=dialect.separator or usual)
    if not any(name.isdecimal() for name in kinds):
        return table(source, dialect, kinds)
    first = first_row(source, dialect)
    position = {name: position_of(name, len(first)) for name in kinds}
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


def _is_header(ids: pa.ChunkedArray) -> bool:
    """Whether the first id is the only one that is no whole number."""
    code, raw = codes(ids)
    other = np.flatnonzero(~np.asarray(pc.match_substring_regex(raw, r"^\s*-?\d+(\.0*)?\s*$"), dtype=bool))
    return len(other) == 1 and code[0] == other[0] and int((code == other[0]).sum()) == 1
