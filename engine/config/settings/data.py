"""Settings of the ``data`` stage: where interactions come from, which of them count, how they are split."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting

FORMATS = (
    "auto",
    "demo",
    "ml-100k",
    "ml-dat",
    "ml-csv",
    "amazon-2014",
    "amazon-2018",
    "amazon-2023",
    "llara",
    "pairs",
    "sequences",
    "recbole",
    "table",
)
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
SPLITS = ("leave-one-out", "users", "temporal", "given")


@dataclass
class ColumnsSettings:
    """Names of the columns of a table and its catalogue; a number counts columns from 1; a.b is the field b of a."""

    user: str = setting("column with the user's id")
    item: str = setting("column with the item's id")
    key: str | None = setting("column of the catalogue with the item's id; null: called as in the interactions")
    time: str | None = setting("column with a number or a date to order by; null: the order of the file")
    rating: str | None = setting("column with a number that data.min_rating looks at")
    title: str | None = setting("column of the catalogue, or else of the interactions, with the item's title")
    text: str | None = setting("column beside the title with more about the item")


@dataclass
class WorldSettings:
    """The demo world's generator (``engine/data/demo.py`` has the formulas)."""

    seed: int = setting("seed of the world: another number, another world", low=0, high=2**31 - 1)
    users: int = setting("number of users", low=2, high=1_000_000)
    items: int = setting("number of items", low=20, high=1_000_000)
    series: int = setting("number of series that the items belong to", low=1, high=1444)
    events: float = setting("mean number of events of a user", low=5)
    genres: int = setting("number of genres", low=1, high=16)
    moods: int = setting("number of moods", low=1, high=16)
    eras: int = setting("number of eras", low=1, high=12)
    popularity: float = setting("exponent of the popularity of series: 0 is even, 1 is Zipf's law", low=0, high=3)
    taste: float = setting("how far a user's lasting tastes differ from even, in nats", low=0, high=20)
    drift: float = setting("chance that one of the user's three interests changes before an event", low=0, high=1)
    follow: float = setting("chance that a user goes on with the next part of the series just seen", low=0, high=1)
    genre_pull: float = setting("how much an item of the genre of interest gains, in nats", low=0, high=20)
    mood_pull: float = setting("how much an item of the mood of interest gains, in nats", low=0, high=20)
    era_pull: float = setting("how much an item of the era of interest gains, in nats", low=0, high=20)
    cold: float = setting("share of the items that appear only in the last two events of a user", low=0, below=1)


@dataclass
class DataSettings:
    """One set of interactions, filtered and split."""

    name: str = setting("name of the set in tables")
    format: str = setting("layout of the files; auto: found by their names", choices=FORMATS)
    path: str | None = setting("folder or archive that holds the files in their original form; null: fetch them")
    fetch: str | None = setting("published set to fetch when path is null (engine/data/download.py lists them)")
    category: str | None = setting("category of an Amazon set, as in its file names, for example Video_Games")
    file: str | None = setting("name of the file with the interactions; null: the format's usual name")
    catalogue: str | None = setting("name of the file with titles; null: the format's usual name")
    item_map: str | None = setting("file with lines 'id in the interactions, id in the catalogue'; null: same ids")
    separator: str | None = setting(
        "between the columns of a table: a character, comma, semicolon, tab, pipe or space; null: by its name"
    )
    catalogue_separator: str | None = setting(
        "between the columns of a table's catalogue, as data.separator; null: as data.separator"
    )
    quoted: bool = setting("whether quotes around a field of CSV and TSV files are left out; false: they are text")
    columns: ColumnsSettings | None = setting("names of the columns, where the format is a table")
    encoding: str | None = setting("encoding of all text files; null: the format's own")
    known: str | None = setting(
        "id of a finished data run of the set as it was: its ids are kept, new users and items follow; null: none"
    )
    duplicates: str = setting(
        "what becomes of repeated events (same user, item and time)", choices=("keep", "first", "error")
    )
    min_rating: float | None = setting("events with a lower rating are left out")
    core_users: int = setting("users with fewer events are left out, repeatedly", low=0)
    core_items: int = setting("items with fewer events are left out, repeatedly", low=0)
    split: str = setting("how held-out rows are chosen (engine/data/splits.py)", choices=SPLITS)
    window: int = setting(
        "position of a user's first row in a temporal split; the last event of a shorter history", low=1
    )
    world: WorldSettings | None = setting("parameters of the demo world, where the format is demo")

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if (self.format == "demo") != (self.world is not None):
            yield "format", "must be demo with data.world and only then, because the demo world is made, not read"
        if self.world is not None:
            if self.known is not None:
                yield "known", "must be null: the demo world does not grow"
            if self.split != "leave-one-out":
                yield "split", "must be leave-one-out, because the demo's oracle scores the last event of each user"
            if self.core_users > 1 or self.core_items > 1 or self.min_rating is not None:
                yield "core_users", "and core_items must be 0 and min_rating null: the demo world has no such files"
        for name in ("separator", "catalogue_separator"):
            mark = getattr(self, name)
            if mark not in (None, *SEPARATORS) and not re.fullmatch(r'[^"\r\n\0\x80-\U0010ffff]', mark):
                yield name, f"must be one ASCII character but no quote, or one of {', '.join(SEPARATORS)}"
        if self.format == "table" and self.columns is None:
            yield "format", "needs data.columns: the names of the user and item columns"
        if self.format.startswith("amazon") and self.category is None:
            yield "format", "needs data.category, for example Video_Games"
        if self.split == "given" and self.format not in ("llara", "auto"):
            yield "split", "must not be given, because files of this format carry no split"
