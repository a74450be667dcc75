"""What a path holds, as the settings that say so: ``data.path=ratings.csv`` alone is a source.

Files of a published layout are read as such; anything else is a table whose columns are found by name and content. A
person is asked for everything that is not sure, at once.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine import config
from engine.config import presets
from engine.config.compose import compose
from engine.config.settings.data import DataSettings
from engine.data.layouts import CATALOGUE, INTERACTIONS, LAYOUTS
from engine.data.pieces import unpacked
from engine.data.schema.names import ROLES, TEXT, TIME, TITLE
from engine.data.schema.sample import Writing, sample
from engine.data.schema.tables import EventTable, TitleTable, catalogue, catalogues, events
from engine.data.schema.text import question, shown
from engine.data.sources import Sources, find, folder_of
from engine.errors import DataError

PATH = "data.path"
CONCERN = (
    "data",
    PATH,
    *(
        f"data.{name}"
        for name in ("name", "format", "file", "catalogue", "separator", "catalogue_separator", "encoding", "quoted")
    ),
)
PUBLISHED = {  # layout -> the choice of conf/data that reads it and filters nothing
    "ml-100k": ("ml-100k",),
    "pairs": ("pairs",),
    "sequences": ("sequences",),
    "recbole": ("recbole",),
    "llara": ("lastfm",),
}
MOVIELENS = {  # columns of ratings.csv and movies.csv, which others call their files, too
    INTERACTIONS: {"userId", "movieId", "rating", "timestamp"},
    CATALOGUE: {"movieId", "title"},
}


@dataclass(frozen=True)
class Inferred:
    """``words``: the settings that were not given; ``text``: what was found, for a person to look at."""

    words: list[str]
    text: str


def completed(overrides: Sequence[str]) -> tuple[list[str], str]:
    """The overrides with what their path says about itself, and what a person should see of it ('' for nothing).

    A path is looked at where no data set is chosen. Raises DataError where a person has to say more.
    """
    given = [word for word in presets.expanded(overrides, config.groups()["experiment"]) if concerns(word)]
    keys = {word.partition("=")[0] for word in given}
    if PATH not in keys or "data" in keys:
        return list(overrides), ""
    selected, values = config.split(given)
    if values[PATH] is None or values.get("data.format", "table") not in ("table", "auto"):
        return list(overrides), ""
    if compose(selected, {}).choices["data"] != compose({}, {}).choices["data"]:
        return list(overrides), ""  # the experiment chooses its own data
    found = inferred(values[PATH], {key.removeprefix("data."): value for key, value in values.items()})
    return [*found.words, *overrides], found.text


def concerns(word: str) -> bool:
    """Whether an override says which data there are, or how their files are written."""
    key = word.partition("=")[0]
    return key in ("experiment", *CONCERN) or key.startswith("data.columns.")


def inferred(path: str, given: Mapping[str, Any]) -> Inferred:
    """The settings of a path beside those that are ``given`` (name below data -> value)."""
    settings: DataSettings = replace(config.load(["data=table"]).data, path=path)
    root = folder_of(settings)
    name = unpacked(root.resolve().name)
    stem = name.partition(".")[0] or name
    typed = [f"data.{key}={_text(value)}" for key, value in given.items() if key != "path"]
    if not given.keys() - {"path", "name"} and (words := _published(settings, root, stem)):
        words = [word for word in words if "name" not in given or not word.startswith("data.name=")]
        text = f"{path} holds files of a published layout. In words: {shlex.join([*words, *typed, f'{PATH}={path}'])}"
        return Inferred(words, text)
    columns = {role: given[f"columns.{role}"] for role in ROLES if f"columns.{role}" in given}
    named = given.get("catalogue")
    if named is not None:  # its title and text are not the interactions'
        apart = {role: columns.pop(role, None) for role in (TITLE, TEXT)}
        columns[TITLE] = None
    writing = Writing(given.get("separator"), given.get("encoding"), given.get("quoted", True))
    found = events(root, writing, columns, given.get("file"))
    beside: list[TitleTable] = []
    sure = not found.roles.open.keys() - {TITLE}
    if sure and named is not None:
        beside = [
            catalogue(
                root, named, found, writing, apart[TITLE], given.get("columns.key"), given.get("catalogue_separator")
            )
        ]
    elif sure and not {"catalogue", "columns.title"} & given.keys() and TITLE not in found.roles.chosen:
        beside = catalogues(root, found, writing)
    if found.roles.open.keys() - ({TITLE} if beside else set()) or len(beside) > 1:
        raise question(path, found, beside)
    words = _words(stem, found, beside[0] if beside else None, given)
    return Inferred(words, shown(path, found, beside[0] if beside else None, [*words, *typed]))


def _text(value: Any) -> str:
    """A value as it is typed."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _published(settings: DataSettings, root: Path, stem: str) -> list[str]:
    """The settings of files in a published layout; none where they are in no such layout."""
    for layout, names in LAYOUTS.items():
        if layout == "table" or any("{}" in name for role in names.needed.values() for name in role):
            continue
        if root.is_file() and root.suffix != ".zip" and root.name not in names.needed[INTERACTIONS]:
            continue
        try:
            sources = find(replace(settings, format=layout), root)
        except DataError:  # this layout's files are not there
            continue
        if layout == "ml-csv" and not _is_movielens(sources):
            continue
        choice = PUBLISHED.get(layout)
        return [f"data={choice[0]}"] if choice else ["data=files", f"data.format={layout}", f"data.name={stem}"]
    return []


def _is_movielens(sources: Sources) -> bool:
    """Whether both files are written as MovieLens writes them: these columns, between commas."""
    found = {part: sample(sources.parts[part], Writing()) for part in MOVIELENS}
    return all(found[part].by_name.keys() >= names and not found[part].separator for part, names in MOVIELENS.items())


def _words(stem: str, found: EventTable, titles: TitleTable | None, given: Mapping[str, Any]) -> list[str]:
    """Every setting that makes the table what it was found to be."""
    columns = {role: found.roles.chosen.get(role) for role in ROLES}
    words = ["data=table", f"data.name={stem}"]
    if found.name:
        words.append(f"data.file={found.name}")
    if found.sample.separator:
        words.append(f"data.separator={found.sample.separator}")
    if found.sample.encoding:
        words.append(f"data.encoding={found.sample.encoding}")
    if titles is not None:
        words.append(f"data.catalogue={titles.name}")
        if titles.sample.separator != found.sample.separator:
            words.append(f"data.catalogue_separator={titles.separator}")
        columns |= {"title": titles.title, "text": titles.text, "key": titles.key}
        if titles.key == columns["item"]:
            del columns["key"]
    none = [f"data.columns.{TIME}=null"] if columns[TIME] is None else []  # conf/data/table.yaml has no other column
    words += [f"data.columns.{role}={column}" for role, column in columns.items() if column is not None] + none
    return [word for word in words if word.partition("=")[0].removeprefix("data.") not in given]
