"""Where a set's interactions come from, and what a person should know about them before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.settings.data import DataSettings
from engine.data import demo, raw_ids, ties, untitled
from engine.data.download import fetched
from engine.data.interactions import Interactions
from engine.data.known import remark
from engine.data.layouts import LAYOUTS
from engine.data.prepare import Prepared
from engine.data.readers import read
from engine.data.readers.opened import NoColumn
from engine.data.sources import Sources, find, folder_of, watched
from engine.errors import DataError


@dataclass(frozen=True)
class Loaded:
    """Interactions and their origin: ``root`` and ``sources`` of files, ``oracle`` of the demo world."""

    interactions: Interactions
    source: dict[str, Any]  # as profile.json has it
    root: Path | None = None
    sources: Sources | None = None
    oracle: NDArray[np.float32] | None = None


def load(settings: DataSettings, report: Callable[[int, int, str, str], None], warn: Callable[[str], None]) -> Loaded:
    """The interactions of a set: made, fetched or read. ``report`` takes progress (done, total, phase, unit).

    Raises DataError for files that cannot be read as what the settings say.
    """
    if settings.world is not None:
        interactions, oracle = demo.generate(settings.world)
        source = {"format": "demo", "version": demo.VERSION, "seed": settings.world.seed, "files": {}}
        return Loaded(interactions, source, oracle=oracle)
    root = fetched(settings, report) if settings.path is None and settings.fetch else folder_of(settings)
    sources = watched(find(settings, root), lambda done, total: report(done, total, "reading", "bytes"), warn)
    try:
        interactions = read(settings, sources)
    except NoColumn as error:
        raise _with_columns(error, settings) from error
    names = {role: part.name for role, part in sources.parts.items()}
    source = {"format": sources.format, "version": LAYOUTS[sources.format].version, "files": names}
    return Loaded(interactions, source, root, sources)


def _with_columns(error: NoColumn, settings: DataSettings) -> DataError:
    """The error with the columns that a look at the path alone finds, where it finds all that are needed."""
    from engine.data.schema.infer import inferred  # reads the whole configuration: needed on this way out alone

    try:
        words = [word for word in inferred(str(settings.path), {}).words if word.startswith("data.columns.")]
    except DataError:
        return error
    if not words:
        return error
    remedy = f"{error.remedy} Without data=table and data.columns they would be found: {' '.join(words)}"
    return DataError(error.cause, location=error.location, remedy=remedy)


def id_warnings(loaded: Loaded) -> list[str]:
    """Ids of files that may be one written in two ways."""
    found = []
    interactions = loaded.interactions
    for what, raw in (("users", interactions.users), ("items", interactions.items)) if loaded.sources else ():
        if padded := raw_ids.padded(raw):
            text = f"{len(padded)} {what} differ from others only in leading zeros, for example '{padded[0]}'"
            found.append(f"{text}: they are kept apart. Write every id in one way if they are the same")
    return found


def set_warnings(settings: DataSettings, loaded: Loaded, prepared: Prepared) -> list[str]:
    """Items without titles, and targets whose order is the file's."""
    found = []
    if loaded.root is not None and loaded.sources is not None:
        text = untitled.warning(settings, loaded.root, loaded.sources, loaded.interactions, prepared.items)
        found += [text] if text else []
    lost = remark(prepared.profile)
    found += [lost] if lost else []
    tied = ties.remark(prepared.profile)
    return [*found, f"{tied}; give finer times, or shuffle what is sorted by item"] if tied else found
