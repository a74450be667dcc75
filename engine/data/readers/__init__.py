"""One module per family of formats: files in, ``Interactions`` out."""

import codecs

from engine.config.settings.data import SEPARATORS, DataSettings
from engine.data.interactions import Interactions
from engine.data.layouts import INTERACTIONS, LAYOUTS
from engine.data.readers import amazon, lines, llara, movielens, recbole, table
from engine.data.readers.delimited import Dialect
from engine.data.sources import Sources
from engine.errors import DataError


def read(settings: DataSettings, sources: Sources) -> Interactions:
    """The interactions in the files. Raises DataError for files that are not what they should be."""
    encodings = LAYOUTS[sources.format].encodings
    if settings.encoding is not None:
        try:
            "".encode(settings.encoding)  # a codec of bytes is no encoding
            encodings = (codecs.lookup(settings.encoding).name,)
        except LookupError as error:
            raise DataError(
                f"there is no encoding '{settings.encoding}'", location="data.encoding", remedy="For example latin-1."
            ) from error
    interactions = _read(settings, sources, encodings)
    if not len(interactions):
        raise DataError(
            "the file is empty: there is no event in it",
            location=str(sources.parts[INTERACTIONS]),
            remedy="Give a file with interactions.",
        )
    return interactions


def _read(settings: DataSettings, sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    match sources.format:
        case "ml-100k":
            return movielens.read_100k(sources, encodings)
        case "ml-dat":
            return movielens.read_dat(sources, encodings)
        case "ml-csv":
            return movielens.read_csv(sources, Dialect(",", quoted=settings.quoted, encoding=encodings[0]))
        case "pairs":
            return lines.read_pairs(sources, encodings)
        case "sequences":
            return lines.read_sequences(sources, encodings)
        case "llara":
            return llara.read(sources, encodings)
        case "recbole":
            return recbole.read(sources, settings.columns, encodings, settings.min_rating is not None)
        case "table":
            if settings.columns is None:
                raise DataError(
                    "a table's columns are not named",
                    location="data.columns",
                    remedy="Set data=table data.columns.user=... data.columns.item=...",
                )
            marks = (settings.separator or "", settings.catalogue_separator or settings.separator or "")
            dialect, apart = (
                Dialect(SEPARATORS.get(mark, mark), quoted=settings.quoted, encoding=encodings[0]) for mark in marks
            )
            return table.read(sources, settings.columns, dialect, apart, settings.min_rating is not None)
    return amazon.read(sources)
