"""Amazon reviews of 2014, 2018 and 2023 with their metadata, one JSON object a line."""

from typing import Any

import numpy as np
import pyarrow as pa

from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.raw_ids import missing
from engine.data.readers import json_lines
from engine.data.readers.delimited import TIME_REMEDY, codes, numbers, time_problem, times
from engine.data.sources import Source, Sources
from engine.errors import DataError

FIELDS = {  # user, item, rating, time
    "amazon-2014": ("reviewerID", "asin", "overall", "unixReviewTime"),
    "amazon-2018": ("reviewerID", "asin", "overall", "unixReviewTime"),
    "amazon-2023": ("user_id", "parent_asin", "rating", "timestamp"),
}
DESCRIBED = 500  # characters of a description that are kept


def read(sources: Sources) -> Interactions:
    """Reviews as events; titles, brands and categories from the metadata. Items without metadata keep their id."""
    fields = FIELDS[sources.format]
    loose = sources.format == "amazon-2014"
    source = sources.parts[INTERACTIONS]
    kinds = (pa.string(), pa.string(), pa.float64(), pa.int64())
    read = json_lines.table(source, pa.schema(list(zip(fields, kinds, strict=True))), fields, loose)
    user, item, rating, time = (read[name] for name in fields)
    problem = time_problem(times(time))
    if problem:
        raise DataError(problem[1], location=f"{source}, event {problem[0] + 1}", remedy=TIME_REMEDY)
    users, items = codes(user), codes(item)
    for name, (code, raw) in ((fields[0], users), (fields[1], items)):
        bad = np.asarray(missing(raw), dtype=bool)
        if bad.any():
            raise json_lines.lacking(source, name, int(np.argmax(bad[code])))
    catalogue = None
    if CATALOGUE in sources.parts:
        known = set(items[1].to_pylist())
        catalogue = _catalogue(sources.parts[CATALOGUE], fields[1], known, loose)
    return coded(users, items, times(time), numbers(rating), catalogue)


def _catalogue(source: Source, key: str, known: set[str], loose: bool) -> Catalogue:
    """Titles and texts of the ``known`` items; the first entry of an item that is not empty counts."""
    entries: dict[str, tuple[str, str]] = {}
    for _, entry in json_lines.objects(source, loose):
        raw = entry.get(key) or entry.get("asin")
        if isinstance(raw, str) and raw in known:
            title, text = entries.get(raw, ("", ""))
            entries[raw] = (title or _text(entry.get("title")).strip(), text or _about(entry))
    return Catalogue(
        raw=pa.array(list(entries), pa.string()),
        title=pa.array([title for title, _ in entries.values()], pa.string()),
        text=pa.array([text for _, text in entries.values()], pa.string()),
        complete=False,
    )


def _about(entry: dict[str, Any]) -> str:
    """Brand, categories and the beginning of the description."""
    brand = _text(entry.get("brand")) or _text(entry.get("store"))
    categories = _words(entry.get("category") or entry.get("categories"))[1:]  # the first is the set's own
    described = " ".join(_words(entry.get("description")))[:DESCRIBED]
    return ". ".join(part for part in (brand, ", ".join(categories), described) if part)


def _words(value: Any) -> list[str]:
    """Texts of a text, a list of texts or a list of such lists, without repetition."""
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return list(dict.fromkeys(word for part in value for word in _words(part)))
    return []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
