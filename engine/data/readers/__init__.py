"""One module per family of formats: files in, ``Interactions`` out."""

from collections.abc import Callable
from typing import Any

from engine.data.interactions import Interactions
from engine.data.readers import lines, movielens
from engine.data.sources import LAYOUTS, Sources, find, folder_of
from engine.settings.data import Data

READERS: dict[str, Callable[[Sources, tuple[str, ...]], Interactions]] = {
    "ml-100k": movielens.read_100k,
    "ml-dat": movielens.read_dat,
    "ml-csv": movielens.read_csv,
    "pairs": lines.read_pairs,
    "sequences": lines.read_sequences,
}


def read(settings: Data, report: Callable[..., None]) -> tuple[Interactions, dict[str, Any]]:
    """The interactions that the settings name, and where they come from.

    Raises DataError for files that are missing or not what they should be.
    """
    sources = find(settings, folder_of(settings))
    layout = LAYOUTS[sources.format]
    encodings = (settings.encoding,) if settings.encoding else layout.encodings
    interactions = READERS[sources.format](sources, encodings)
    names = {role: source.name for role, source in sources.parts.items()}
    return interactions, {"format": sources.format, "version": layout.version, "files": names}
