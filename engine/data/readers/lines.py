"""Files without times, oldest event first: ``user item`` lines (SASRec) and ``user item item ...`` lines."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS, ITEM_MAP
from engine.data.raw_ids import missing, normalised
from engine.data.readers.delimited import ID, Dialect, codes, table
from engine.data.readers.movielens import catalogue_dat
from engine.data.readers.opened import binary, broken_line, empty_file, lines
from engine.data.sources import Source, Sources
from engine.runs.text import clean


def read_pairs(sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    """``user item`` lines, separated by a space, a tab or a comma."""
    source = sources.parts[INTERACTIONS]
    with binary(source) as file:
        start = file.readline().decode("utf-8", errors="replace")
    separator = next((mark for mark in "\t, " if mark in start.strip()), " ")
    read = table(source, Dialect(separator, ("user", "item"), False, encodings[0]), {"user": ID, "item": ID})
    return coded(codes(read["user"]), codes(read["item"]), None, None, _catalogue(sources, encodings))


def read_sequences(sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    """``user item item ...`` lines; a user may have several."""
    source = sources.parts[INTERACTIONS]
    text = pa.array(lines(source, encodings), pa.string())
    fields = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text))
    lengths = np.asarray(pc.list_value_length(fields)) - 1
    empty = np.asarray(pc.equal(pc.utf8_trim_whitespace(text), "")) if len(text) else np.zeros(0, dtype=bool)
    short = np.flatnonzero((lengths < 1) & ~empty)
    if len(short):
        problem = f"the line '{clean(text[short[0]].as_py(), 60)}' is not 'user item item ...'"
        raise broken_line(source, short[0] + 1, problem)
    fields, lengths = fields.filter(pa.array(~empty)), lengths[~empty]
    if not len(fields):
        raise empty_file(source)
    users = pc.list_element(fields, 0).dictionary_encode()
    tokens = fields.flatten()
    first = np.zeros(len(tokens), dtype=bool)
    first[np.cumsum(lengths + 1) - lengths - 1] = True
    user = np.repeat(users.indices.to_numpy(), lengths).astype(np.int32)
    item = codes(pa.chunked_array([tokens.filter(pa.array(~first))]))
    for raw in (users.dictionary, item[1]):
        if pc.any(missing(raw)).as_py():
            word = raw.filter(missing(raw))[0].as_py()
            row = next(number for number, words in enumerate(fields.to_pylist()) if word in words)
            raise broken_line(source, int(np.flatnonzero(~empty)[row]) + 1, f"an id is '{word}': there is no id")
    return coded((user, users.dictionary), item, None, None, _catalogue(sources, encodings))


def _catalogue(sources: Sources, encodings: tuple[str, ...]) -> Catalogue | None:
    """Titles from ``movies.dat`` or from ``id text`` lines, under the ids of the interactions."""
    source = sources.parts.get(CATALOGUE)
    if source is None:
        return None
    catalogue = catalogue_dat(source, encodings) if source.name.endswith(".dat") else _texts(source, encodings)
    if ITEM_MAP not in sources.parts:
        return catalogue
    pairs = _pairs(sources.parts[ITEM_MAP], encodings)
    foreign = normalised(pa.array([foreign for _, foreign in pairs], pa.string()))
    index = pc.index_in(foreign, value_set=normalised(catalogue.raw))
    return Catalogue(
        raw=pa.array([own for own, _ in pairs], pa.string()),
        title=pc.fill_null(catalogue.title.take(index), ""),
        text=pc.fill_null(catalogue.text.take(index), ""),
        complete=False,
    )


def _texts(source: Source, encodings: tuple[str, ...]) -> Catalogue:
    """``id text`` lines: the text is the title."""
    pairs = _pairs(source, encodings, "")
    return Catalogue(
        raw=pa.array([raw for raw, _ in pairs], pa.string()),
        title=pa.array([title for _, title in pairs], pa.string()),
        text=pa.array([""] * len(pairs), pa.string()),
        complete=False,
    )


def _pairs(source: Source, encodings: tuple[str, ...], usual: str | None = None) -> list[tuple[str, str]]:
    """The first word and the rest of every line that is not empty; ``usual``: the rest of a line that has none."""
    result = []
    for number, line in enumerate(lines(source, encodings), start=1):
        if line.strip():
            first, *rest = line.split(maxsplit=1)
            if not rest and usual is None:
                raise broken_line(source, number, f"the line '{clean(line, 60)}' has an id and nothing else")
            result.append((first, rest[0].strip() if rest else usual or ""))
    return result
