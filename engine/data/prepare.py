"""From a reader's interactions to the artifacts: filtered, numbered, ordered, split, with titles.

Letters: E events, U users, N items as the reader codes them, n items with an id, R rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.settings.data import DataSettings
from engine.data import ids
from engine.data.catalogue import items_table
from engine.data.filters import filtered, occurrences
from engine.data.interactions import Interactions
from engine.data.known import Known, codes, extended, grown
from engine.data.order import narrowed, ordered
from engine.data.profile import profile
from engine.data.sequences import Rows
from engine.data.splits import Events, Split, by_user, leave_one_out, temporal
from engine.data.stretches import counts
from engine.errors import DataError
from engine.runs.text import clean


@dataclass(frozen=True)
class Prepared:
    """Everything that the stage writes. The rows share the events of all users (``engine.data.splits.Split``)."""

    items: pa.Table  # one row per item id 1..n: id, raw, title, text, seen
    users: pa.Table  # one row per user index 0..m-1: user, raw
    trained: Rows  # the histories are the training sequences
    validation: Rows
    test: Rows
    oracle: NDArray[np.float32] | None  # [R, n + 1]
    profile: dict[str, Any]


def prepare(
    settings: DataSettings,
    interactions: Interactions,
    oracle: NDArray[np.float32] | None = None,
    report: Callable[[str], None] = lambda phase: None,
    known: Known | None = None,
    release: bool = False,
) -> Prepared:
    """The data set as later stages know it. ``oracle`` [U, N]: the demo's scores by code of user and item.

    ``report`` is called with the name of each phase, every few seconds even for 32 million events. The ids of
    ``known`` are kept. ``release``: the interactions give their columns up as soon as they are used, to save memory.
    Raises DataError when nothing is left to train on or to test with.
    """
    _refuse_missing_columns(settings, interactions)
    if known is not None:
        interactions = extended(interactions, known)
    report("filtering")
    read = len(interactions)
    if release and interactions.time is not None:
        interactions.replace_time(narrowed(interactions.time, release))
    kept, dropped = filtered(interactions, settings.min_rating, settings.core_users, settings.core_items)
    if release:
        interactions.release("rating")
    user_codes, user_index = _number_users(interactions, kept, known)
    item_ids, item_codes = _number_items(interactions, kept, known)
    report("ordering")
    events, dropped["said twice"] = _sorted(
        settings, interactions, kept, (user_codes, user_index), (item_ids, item_codes), release
    )
    del kept
    report("splitting")
    split = _split(settings, events, interactions, user_codes)
    _check(settings, read, events, split)
    report("naming the items")
    seen = counts(split.trained, ids.rows(len(item_codes)))
    items = items_table(interactions.items.take(pa.array(item_codes)), seen, interactions.catalogue)
    users = pa.table({"user": np.arange(len(user_codes)), "raw": interactions.users.take(pa.array(user_codes))})
    return Prepared(
        items=items,
        users=users,
        trained=split.trained,
        validation=split.validation,
        test=split.test,
        oracle=None if oracle is None else ids.with_padding(oracle[user_codes[split.test.users]], item_codes),
        profile=profile(settings, interactions.catalogue is not None, read, events, split, items, dropped)
        | ({} if known is None else {"known": grown(known, len(users), items, len(events.items))}),
    )


def _refuse_missing_columns(settings: DataSettings, interactions: Interactions) -> None:
    """A filter or split that would silently do something else without its column is an error."""
    if settings.min_rating is not None and interactions.rating is None:
        raise DataError(
            "its events have no ratings that data.min_rating could look at",
            location=settings.name,
            remedy="Set data.min_rating=null, or name the column: data.columns.rating=NAME.",
        )
    if settings.split == "temporal" and interactions.time is None:
        raise DataError(
            "its events have no times that a temporal split could cut at",
            location=settings.name,
            remedy="Set data.split to leave-one-out or users, or name the column: data.columns.time=NAME.",
        )


def _number_users(
    interactions: Interactions, kept: NDArray[np.bool_], known: Known | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Code of every user index 0..m-1, and the index of every code."""
    present = occurrences(interactions.user, kept, len(interactions.users)) > 0
    first = None if known is None else codes(known.users, interactions.users)
    order = ids.in_order(interactions.users, present, first)
    index = np.full(len(interactions.users), -1, dtype=np.int32)
    index[order] = np.arange(len(order))
    return order, index


def _number_items(
    interactions: Interactions, kept: NDArray[np.bool_], known: Known | None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Item id of every code, and the code of every item id 1..n."""
    if interactions.catalogue is not None and interactions.catalogue.complete:
        present = np.ones(len(interactions.items), dtype=bool)
    else:
        present = occurrences(interactions.item, kept, len(interactions.items)) > 0
    return ids.assign(interactions.items, present, None if known is None else codes(known.items, interactions.items))


def _sorted(
    settings: DataSettings,
    interactions: Interactions,
    kept: NDArray[np.bool_],
    user: tuple[NDArray[np.int64], NDArray[np.int32]],
    item: tuple[NDArray[np.int32], NDArray[np.int64]],
    release: bool,
) -> tuple[Events, int]:
    """The kept events by user and time, and how many repeats were left out. Raises DataError where none may be there.

    ``user``: code of every index, index of every code; ``item``: id of every code, code of every id.
    """
    events, found = ordered(
        interactions, kept, user[1], item[0], len(user[0]), settings.duplicates, settings.split == "users", release
    )
    if settings.duplicates == "error" and found.count:
        raise DataError(
            f"{found.count:,} events say the same user, item and time as another one, first user "
            f"{clean(interactions.users[user[0][found.user]].as_py())} and item "
            f"{clean(interactions.items[item[1][ids.to_zero_based(found.item)]].as_py())}",
            location=settings.name,
            remedy="Set data.duplicates=first to leave them out, or data.duplicates=keep.",
        )
    return events, found.count if settings.duplicates == "first" else 0


def _split(settings: DataSettings, events: Events, interactions: Interactions, user_codes: NDArray[np.int64]) -> Split:
    if settings.split == "leave-one-out":
        return leave_one_out(events)
    if settings.split == "users":
        return by_user(events, None)
    if settings.split == "temporal":
        return temporal(events, settings.window)
    if interactions.part is None:
        raise DataError(
            "the files carry no split of their own",
            location=settings.name,
            remedy="Set data.split to leave-one-out, users or temporal.",
        )
    return by_user(events, interactions.part[user_codes])


def _check(settings: DataSettings, read: int, events: Events, split: Split) -> None:
    """Something has to be left in every part."""
    if not len(events.items):
        raise DataError(
            f"the filters leave none of its {read:,} events",
            location=settings.name,
            remedy="Lower data.min_rating, data.core_users or data.core_items.",
        )
    for what, part in (("training", split.trained), ("validation", split.validation), ("test", split.test)):
        if not len(part):
            raise DataError(
                f"the split {settings.split} leaves no {what} rows of {len(events.items):,} events "
                f"of {len(events.lengths):,} users, the longest with {events.lengths.max()}",
                location=settings.name,
                remedy="Give more data, or another data.split: leave-one-out needs users with three events, "
                "users and temporal need ten rows.",
            )
