"""What a set would be: what is read, what is dropped and why, and what a person should know. Nothing is written.

Letters: E events.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from engine.config.settings.data import DataSettings
from engine.data.filters import core, rated_at_least
from engine.data.interactions import Interactions
from engine.data.known import Known
from engine.data.loading import Loaded, id_warnings, load, set_warnings
from engine.data.prepare import Prepared, prepare
from engine.data.readers.delimited import unit_of
from engine.data.repeated_targets import PROFILED
from engine.data.stage import examples
from engine.data.ties import of_profile
from engine.errors import DataError
from engine.runs.text import clean

CORES = (5, 10)  # k-cores whose size is stated
SHOWN = 3  # events that are shown


def preview(
    settings: DataSettings, report: Callable[[int, int, str, str], None], known: Known | None = None
) -> dict[str, Any]:
    """Everything that is known about a set before anything is trained. Raises DataError as the stage would."""
    if settings.path is None and settings.fetch is not None:
        raise DataError(
            f"the set '{settings.name}' is fetched when it is run, not before",
            location="data.path",
            remedy="Set data.path=DIR to its files, or fetch it: engine run data data=" + settings.name,
        )
    warnings: list[str] = []
    loaded = load(settings, report, warnings.append)
    interactions = loaded.interactions
    prepared = prepare(settings, interactions, loaded.oracle, known=known)
    warnings += [*id_warnings(loaded), *set_warnings(settings, loaded, prepared)]
    profile, ties = prepared.profile, of_profile(prepared.profile)
    return {
        "name": profile["name"],
        "source": loaded.source,
        "read": _read(interactions),
        "dropped": profile["dropped"],
        **{key: profile[key] for key in ("users", "items", "interactions", "split", "rows", "order", "targets_hash")},
        "training_history": _history(prepared),
        PROFILED: profile[PROFILED],
        "ties": None if ties is None else {"test": ties.test, "shuffled": ties.shuffled},
        "known": profile.get("known"),
        "titles": profile["titles"],
        "cold_items": profile["cold_items"],
        "cores": [_core(settings, interactions, k) for k in CORES],
        "events": _events(loaded),
        "examples": examples(prepared),
        "warnings": warnings,
    }


def _read(interactions: Interactions) -> dict[str, Any]:
    time, rating = interactions.time, interactions.rating
    first, last = (None, None) if time is None else (moment(time.min()), moment(time.max()))
    given = None if rating is None else rating[~np.isnan(rating)]
    return {
        "events": len(interactions),
        "users": int((np.bincount(interactions.user, minlength=len(interactions.users)) > 0).sum()),
        "items": int((np.bincount(interactions.item, minlength=len(interactions.items)) > 0).sum()),
        "first": first,
        "last": last,
        "ratings": None
        if given is None or rating is None
        else {
            "lowest": float(given.min()) if len(given) else None,
            "highest": float(given.max()) if len(given) else None,
            "missing": len(rating) - len(given),
        },
    }


def moment(time: Any) -> str:
    """A time as a date where it can be one, else as the number that it is."""
    if time < 10**8:  # before 1973: a counter
        return f"{time:g}"
    return datetime.fromtimestamp(float(time) / unit_of(time), UTC).isoformat(" ", "seconds").removesuffix("+00:00")


def _history(prepared: Prepared) -> dict[str, float]:
    """Training events of the users that have some."""
    lengths = prepared.trained.stop - prepared.trained.start
    return {"shortest": int(lengths.min()), "median": float(np.median(lengths)), "longest": int(lengths.max())}


def _core(settings: DataSettings, interactions: Interactions, k: int) -> dict[str, int]:
    """What a k-core of the events that data.min_rating keeps would leave."""
    kept = core(interactions.user, interactions.item, rated_at_least(interactions, settings.min_rating), k, k)
    users, items = (len(np.unique(codes[kept])) for codes in (interactions.user, interactions.item))
    return {"core": k, "users": users, "items": items, "interactions": int(kept.sum())}


def _events(loaded: Loaded) -> list[dict[str, Any]]:
    """The first events of the file, as they were read."""
    found = loaded.interactions
    titles: dict[str, str] = {}
    if found.catalogue is not None:
        wanted = {found.items[item].as_py() for item in found.item[:SHOWN].tolist()}
        both = zip(found.catalogue.raw.to_pylist(), found.catalogue.title.to_pylist(), strict=True)
        titles = {raw: title for raw, title in both if raw in wanted and title}
    return [
        {
            "user": clean(found.users[found.user[row]].as_py(), 60),
            "item": clean(found.items[found.item[row]].as_py(), 60),
            "time": None if found.time is None else moment(found.time[row]),
            "rating": None if found.rating is None or np.isnan(found.rating[row]) else float(found.rating[row]),
            "title": clean(titles.get(found.items[found.item[row]].as_py(), ""), 80),
        }
        for row in range(min(SHOWN, len(found)))
    ]
