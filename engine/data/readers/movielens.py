"""MovieLens in its three published layouts: 100K (tab, bar), 1M and 10M ('::'), 20M, 25M, 32M and latest (CSV)."""

import pyarrow as pa

from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.readers.delimited import ID, NUMBER, TEXT, TIME, Dialect, codes, numbers, table, times
from engine.data.readers.opened import broken_line, lines
from engine.data.sources import Source, Sources
from engine.data.titles import film
from engine.errors import DataError
from engine.runs.text import clean

KINDS = {"user": ID, "item": ID, "rating": NUMBER, "time": TIME}
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


def read_100k(sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    """``u.data`` and ``u.item``. All items of ``u.item`` are items: their ids are MovieLens' own 1..1682."""
    dialect = Dialect("\t", ("user", "item", "rating", "time"), False, encodings[0])
    catalogue = films_100k(sources.parts[CATALOGUE], encodings)
    read = _interactions(sources.parts[INTERACTIONS], dialect, KINDS, catalogue)
    if len(read.items) > len(catalogue.raw):
        raise DataError(
            f"item {clean(read.items[_first_unknown(read)].as_py(), 60)} is not in {sources.parts[CATALOGUE].name}",
            location=str(sources.parts[INTERACTIONS]),
            remedy="The two files belong to different sets: take both from one download.",
        )
    return read


def read_dat(sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    """``ratings.dat`` and ``movies.dat``. Films without ratings are not items."""
    names = ("user", "", "item", "", "rating", "", "time")  # '::' gives empty columns between ':'
    dialect = Dialect(":", names, False, encodings[0])
    return _interactions(
        sources.parts[INTERACTIONS], dialect, KINDS, catalogue_dat(sources.parts[CATALOGUE], encodings)
    )


def read_csv(sources: Sources, dialect: Dialect) -> Interactions:
    """``ratings.csv`` and ``movies.csv``."""
    kinds = {"userId": ID, "movieId": ID, "rating": NUMBER, "timestamp": TIME}
    columns = {"movieId": ID, "title": TEXT, "genres": TEXT}
    read = table(sources.parts[CATALOGUE], dialect, columns)
    rows = zip(*(read[name].to_pylist() for name in columns), strict=True)
    films = [(raw, title, _genres(genres)) for raw, title, genres in rows]
    return _interactions(sources.parts[INTERACTIONS], dialect, kinds, _catalogue(films, complete=False))


def films_100k(source: Source, encodings: tuple[str, ...]) -> Catalogue:
    """``u.item``: id, title, date, video date, address, 19 flags."""
    films = [
        (fields[0], fields[1], [name for name, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"])
        for fields in _fields(source, encodings, "|", 5 + len(GENRES))
    ]
    return _catalogue(films, complete=True)


def catalogue_dat(source: Source, encodings: tuple[str, ...]) -> Catalogue:
    """``movies.dat``: id::title::genres."""
    films = [(raw, title, _genres(genres)) for raw, title, genres in _fields(source, encodings, "::", 3)]
    return _catalogue(films, complete=False)


def _interactions(source: Source, dialect: Dialect, kinds: dict[str, str], catalogue: Catalogue) -> Interactions:
    read = table(source, dialect, kinds)
    user, item, rating, time = (read[name] for name in kinds)
    return coded(codes(user), codes(item), times(time), numbers(rating), catalogue)


def _fields(source: Source, encodings: tuple[str, ...], separator: str, count: int) -> list[list[str]]:
    """The fields of every line of a small file."""
    result = []
    for number, line in enumerate(lines(source, encodings), start=1):
        fields = line.split(separator)
        if len(fields) != count and line:
            raise _broken(source, number, line, f"of {count} fields between '{separator}'")
        if line:
            result.append(fields)
    return result


def _broken(source: Source, number: int, line: str, wanted: str) -> DataError:
    return broken_line(source, number, f"the line '{clean(line, 60)}' is not {wanted}")


def _genres(text: str) -> list[str]:
    return [] if text == "(no genres listed)" else text.split("|")


def _catalogue(films: list[tuple[str, str, list[str]]], complete: bool) -> Catalogue:
    """Raw id, title with the year, genres -> the title as people write it; the year and the genres as text."""
    parsed = [film(title) for _, title, _ in films]
    return Catalogue(
        raw=pa.array([raw for raw, _, _ in films], pa.string()),
        title=pa.array(_distinct_titles(parsed), pa.string()),
        text=pa.array(
            [", ".join(filter(None, (year, *genres))) for (_, year), (_, _, genres) in zip(parsed, films, strict=True)],
            pa.string(),
        ),
        complete=complete,
    )


def _distinct_titles(parsed: list[tuple[str, str]]) -> list[str]:
    """Titles; those of films of different years that would be the same keep their year."""
    years: dict[str, set[str]] = {}
    for title, year in parsed:
        years.setdefault(title, set()).add(year)
    return [f"{title} ({year})" if year and len(years[title]) > 1 else title for title, year in parsed]


def _first_unknown(read: Interactions) -> int:
    known = set(read.catalogue.raw.to_pylist()) if read.catalogue else set()
    return next(index for index, raw in enumerate(read.items.to_pylist()) if raw not in known)
