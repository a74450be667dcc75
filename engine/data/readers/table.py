"""Any CSV, TSV, Parquet or JSON table whose columns the settings name; titles inside it or in a catalogue beside it."""

from collections.abc import Iterator
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
)  # fmt: skip
from engine.data.readers.growing import CodedColumn, Part, RatingColumn, TimeColumn, texts_of
from engine.data.sequences import BLOCK
from engine.data.sources import Source, Sources
from engine.errors import DataError
from engine.runs.text import clean


def read(
    sources: Sources, columns: ColumnsSettings, dialect: Dialect, catalogue_dialect: Dialect, rated: bool
) -> Interactions:
    """Titles come from the catalogue if there is one, else from the title and text columns of the interactions.

    A dialect without a separator has the one of the file's name; ``rated``: no rating may be missing.
    """
    source, apart = sources.parts[INTERACTIONS], sources.parts.get(CATALOGUE)
    kinds = {columns.user: ID, columns.item: ID}
    kinds |= {columns.time: TIME} if columns.time else {}
    kinds |= {columns.rating: NUMBER if rated else GAPPY} if columns.rating else {}
    titles = {name: TEXT for name in (columns.title, columns.text) if name}
    user, item, time, rating = CodedColumn(), CodedColumn(), TimeColumn(), RatingColumn()
    own = {name: CodedColumn() for name in titles if not apart}
    for part in _parts(source, kinds | ({} if apart else titles), dialect):
        for name, text in own.items():
            text.append(part.columns[name])
        user.append(_taken(part, columns.user, columns.item, columns.time, columns.rating))
        item.append(_taken(part, columns.item, columns.time, columns.rating))
        if columns.time:
            time.append(_taken(part, columns.time, columns.rating), part)
        if columns.rating:
            rating.append(numbers(_taken(part, columns.rating)))
    codes, items = item.ids()
    catalogue = None
    if apart is not None:
        catalogue = _entries(
            list(_parts(apart, {columns.key or columns.item: ID} | titles, catalogue_dialect)), columns
        )
    elif own and len(codes):
        catalogue = _first_texts(codes, items, {name: text.texts() for name, text in own.items()}, columns)
    return coded(
        user.ids(),
        (codes, items),
        time.values() if columns.time else None,
        rating.values() if columns.rating else None,
        catalogue,
    )


def _taken(part: Part, name: str, *needed: str | None) -> pa.ChunkedArray:
    """A column, taken out unless it is ``needed`` again: it gives its memory back before the next one is converted."""
    return part.columns[name] if name in needed else part.columns.pop(name)


def _entries(parts: list[Part], columns: ColumnsSettings) -> Catalogue:
    """A table with a row for each item."""

    def filled(name: str) -> pa.Array:
        code, texts = codes(pc.fill_null(_joined(parts, name), ""))
        return pc.if_else(raw_ids.missing(texts), "", texts).take(pa.array(code))

    found = (None if name is None else filled(name) for name in (columns.title, columns.text))
    return _catalogue(_joined(parts, columns.key or columns.item).combine_chunks(), *found)


def _joined(parts: list[Part], name: str) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for part in parts for chunk in texts_of(part.columns[name]).chunks], pa.string())


def _first_texts(
    item: NDArray[np.int32],
    items: pa.Array,
    texts: dict[str, tuple[NDArray[np.int32], pa.Array]],
    columns: ColumnsSettings,
) -> Catalogue:
    """The events [E] that are the first of their item with a title, or with a text, in order of the file."""
    first = [_first_filled(item, len(items), *found) for found in texts.values()]
    events = np.unique(np.concatenate(first))
    named = {name: known.take(pa.array(code[events])) for name, (code, known) in texts.items()}
    chosen = (None if name is None else named[name] for name in (columns.title, columns.text))
    return _catalogue(items.take(pa.array(item[events])), *chosen)


def _first_filled(
    item: NDArray[np.int32], size: int, code: NDArray[np.int32], texts: pa.Array
) -> NDArray[np.int64]:  # [E], [E] -> one for each item that has a text
    """The first event of every item that has a text."""
    filled = np.asarray(pc.not_equal(texts, ""))
    first = np.full(size, -1)
    for begin in reversed(range(0, len(item), BLOCK)):
        here = begin + np.flatnonzero(filled[code[begin : begin + BLOCK]])
        first[item[here][::-1]] = here[::-1]  # of several events of an item the one that is assigned last
    return first[first >= 0]


def _catalogue(raw: pa.Array, title: pa.Array | None, text: pa.Array | None) -> Catalogue:
    nothing = pa.array([""] * len(raw), pa.string())
    return Catalogue(raw, nothing if title is None else title, nothing if text is None else text, complete=False)


def _parts(source: Source, kinds: dict[str, str], dialect: Dialect) -> Iterator[Part]:
    """The columns under the names that were asked for, of all pieces of the table, with those of the folders around."""
    for piece in source.each():
        given = partition(piece.path, source.path) if source.pieces else {}
        given = {name: value for name, value in given.items() if name in kinds}
        for part in _file(piece, {name: kind for name, kind in kinds.items() if name not in given}, dialect):
            count = len(next(iter(part.columns.values()))) if part.columns else 0
            for name, value in given.items():
                column = pa.chunked_array([pa.repeat(value, count)])
                part.columns[name] = typed(column, name, kinds[name], piece, part.first)
            yield part


def _file(source: Source, kinds: dict[str, str], dialect: Dialect) -> Iterator[Part]:
    """The columns of a file: some rows of a Parquet file at a time, others at once."""
    if source.name.endswith((".parquet", ".pq")):
        yield from parquet(source, kinds)
    elif source.name.endswith((".jsonl", ".ndjson", ".json")):
        yield json_table(source, kinds)
    else:
        yield Part(_columns(_delimited(source, kinds, dialect)), source)


def _columns(read: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(read.column_names, read.columns, strict=True))


def _delimited(source: Source, kinds: dict[str, str], dialect: Dialect) -> pa.Table:
    """The columns of a CSV or TSV file.

    A number that is no name counts the columns from 1. Where numbers alone are asked for there is no header, unless
    the first line counts the columns itself, from 0.
    """
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
