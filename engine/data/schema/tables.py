"""The tables of a folder: which one has the interactions, and which one the titles of their items."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.data.pieces import COUNTED, hidden, in_order, is_table, pieces_of
from engine.data.schema import delimited
from engine.data.schema.names import CATALOGUE_KEYS, ITEM, TEXT, TITLE, USER, plain, ranked
from engine.data.schema.roles import FITS, Roles, roles
from engine.data.schema.sample import Sample, Writing, sample
from engine.data.sources import Source, listed, members
from engine.errors import DataError

MOST = 40  # tables of a folder that are looked at
OVERLAP = 0.2  # share of the ids of the smaller side that a catalogue has in common with the interactions
UNIQUE = 0.95  # share of a catalogue's rows that are an item of their own


@dataclass(frozen=True)
class EventTable:
    """A table with interactions. ``name`` as data.file has it; '' where data.path is the table."""

    name: str
    sample: Sample
    roles: Roles


@dataclass(frozen=True)
class TitleTable:
    """A table with titles. ``name`` as data.catalogue has it, ``key`` the column of the item's id."""

    name: str
    key: str
    title: str
    text: str | None
    sample: Sample

    @property
    def separator(self) -> str:
        """As data.catalogue_separator has it, where its file's name does not say it."""
        return self.sample.separator or delimited.spelt(delimited.usual(self.sample.source.each()[0].name))


def tables(root: Path) -> dict[str, Source]:
    """Every table below a path by its name: files, members of an archive, tables in pieces; '' for the path itself."""
    if root.is_file() and root.suffix == ".zip":
        return {name: Source(root, name) for name in members(root) if is_table(Path(name))}
    if root.is_file():
        return {"": Source(root)}
    found = in_order(path for path in root.iterdir() if not hidden(path))
    own = [path for path in found if path.is_file() and is_table(path)]
    whole = pieces_of(root)
    if len(whole) > 1 or (whole and not own):
        return {"": Source(root, pieces=whole)}
    groups: dict[str, list[Path]] = {}
    for path in own:
        groups.setdefault(COUNTED.sub("#", path.name), []).append(path)
    result = {
        _pattern(paths[0]) if len(paths) > 1 else paths[0].name: Source(root, pieces=tuple(paths))
        if len(paths) > 1
        else Source(paths[0])
        for paths in groups.values()
    }
    folders = {path.name: pieces_of(path) for path in found if path.is_dir()}
    return result | {name: Source(root / name, pieces=pieces) for name, pieces in folders.items() if pieces}


def events(root: Path, writing: Writing, given: Mapping[str, str | None], file: str | None) -> EventTable:
    """The table with the interactions. Raises DataError where none, or more than one, could be it."""
    every = tables(root)
    if file is not None:
        every = {name: source for name, source in every.items() if name == file or Path(name).match(glob.escape(file))}
    if not every:
        raise DataError("there is no table", location=str(root), remedy=f"There is: {listed(root)}.")
    if len(every) == 1:
        (name, source), *_ = every.items()
        return _events(name, source, writing, given)
    looked, shown = [], []
    for name, source in list(every.items())[:MOST]:
        try:
            one = _events(name, source, writing, given)
        except DataError as error:
            shown.append(f"  data.file={name}  cannot be read: {error.cause.splitlines()[0]}")
            continue
        looked.append(one)
        shown.append(f"  data.file={name}  has the columns {', '.join(one.sample.by_name)}")
    complete = [one for one in looked if USER in one.roles.chosen and ITEM in one.roles.chosen]
    if len(complete) == 1:
        return complete[0]
    names = ", ".join(one.name for one in complete)
    cause = f"the interactions may be in {names}" if complete else "no table has a column of users and one of items"
    raise DataError(
        "\n".join([cause, *shown]), location=str(root), remedy="Name the file with the interactions: data.file=NAME."
    )


def catalogue(
    root: Path,
    name: str,
    found: EventTable,
    writing: Writing,
    title: str | None,
    key: str | None,
    separator: str | None = None,
) -> TitleTable:
    """The table of titles that a person has named, with its columns. DataError where they are not found in it.

    ``separator`` as data.catalogue_separator has it; None: found like that of the interactions.
    """
    folder = root.parent if root.is_file() and root.suffix != ".zip" else root
    path = Path(name).expanduser()
    source = Source(path) if path.is_absolute() else tables(folder).get(name, Source(folder / name))
    other = sample(source, replace(writing, separator=separator))
    titled = _titles(name, other, found, title, key)
    if titled is None:
        raise DataError(
            f"no column of titles, or of the ids of these items, is found: it has {', '.join(other.by_name)}",
            location=str(source),
            remedy="Name them: data.columns.title=COLUMN data.columns.key=COLUMN",
        )
    return titled


def catalogues(root: Path, found: EventTable, writing: Writing) -> list[TitleTable]:
    """Every table beside the interactions that has titles of their items."""
    folder = root.parent if root.is_file() and root.suffix != ".zip" else root
    if folder == root and not found.name:
        return []
    result = []
    own = found.sample.source
    for name, source in list(tables(folder).items())[:MOST]:
        if source.member == own.member and set(source.files) & set(own.files):
            continue
        titled = _read_titles(name, source, writing, found)
        if titled is not None:
            result.append(titled)
    return result


def _read_titles(name: str, source: Source, writing: Writing, found: EventTable) -> TitleTable | None:
    """The table as one of titles. Raises DataError where it is one whose encoding has to be named."""
    try:
        return _titles(name, sample(source, replace(writing, separator=None)), found)
    except DataError as error:  # nobody named the file: it counts only if another encoding shows titles of these items
        try:
            other = sample(source, replace(writing, separator=None, encoding="latin-1"))
        except DataError:
            return None
        if _titles(name, other, found) is not None:
            raise error
        return None


def _events(name: str, source: Source, writing: Writing, given: Mapping[str, str | None]) -> EventTable:
    found = sample(source, writing)
    return EventTable(name, found, roles(found, given))


def _titles(
    name: str, other: Sample, found: EventTable, title: str | None = None, key: str | None = None
) -> TitleTable | None:
    item = found.roles.chosen[ITEM]
    own = found.sample.by_name.get(item)
    columns = other.by_name
    title = title or next((name for name in ranked(TITLE, columns) if FITS[TITLE](columns[name])), None)
    keys = [name for name in columns if plain(name) == plain(item)] or ranked(ITEM, columns)
    keys += [name for name in columns if plain(name) in CATALOGUE_KEYS]
    if own is None or title not in columns or not other.header:
        return None
    if key is not None:
        return TitleTable(name, key, title, None, other) if key in columns else None
    for candidate in keys:
        column = columns[candidate]
        ids, wanted = set(column.filled), set(own.filled)
        common = len(ids & wanted) / max(1, min(len(ids), len(wanted)))
        enough = common >= OVERLAP if other.whole else common > 0
        if candidate != title and column.is_id and column.distinct >= UNIQUE * len(column.filled) and enough:
            text = next((name for name in ranked(TEXT, columns) if FITS[TITLE](columns[name])), None)
            return TitleTable(name, candidate, title, text, other)
    return None


def _pattern(path: Path) -> str:
    """A pattern of the names of pieces."""
    parts = COUNTED.split(path.name)
    return "*".join(map(glob.escape, parts))
