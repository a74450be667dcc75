"""Histories from titles or a file of users, as item ids.

Letters: E events, U users.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.errors import DataError
from engine.recommend.titles import Titles
from engine.runs.text import clean


@dataclass(frozen=True)
class Histories:
    """User u has seen ``items[offsets[u]:offsets[u + 1]]``, oldest first. ``unknown``: names without an item."""

    users: list[str]
    items: NDArray[np.int32]  # [E]
    offsets: NDArray[np.int64]  # [U + 1]
    unknown: list[str]  # a sentence each


def of_titles(catalogue: Titles, names: Sequence[str], user: str = "you") -> Histories:
    """One history of titles or raw ids. DataError for a name that no item, or more than one, has."""
    items = []
    for name in names:
        item, problem = resolve(catalogue, name)
        if item is None:
            raise DataError(problem, location="--history", remedy="Write a title as the catalogue has it, or a raw id.")
        items.append(item)
    return Histories([user], np.array(items, dtype=np.int32), np.array([0, len(items)]), [])


def of_names(catalogue: Titles, names: object) -> NDArray[np.int32]:
    """Item ids of a list from JSON: ids as numbers, titles or raw ids as texts. DataError for anything else."""
    if not isinstance(names, list):
        raise DataError("a history must be a list of item ids or titles", location="history")
    items = []
    for name in names:
        if isinstance(name, str):
            item, problem = resolve(catalogue, name)
        else:
            known = isinstance(name, int) and ids.PADDING < name < len(catalogue.titles)
            item, problem = (int(name), "") if known else (None, f"there is no item {name!r}")
        if item is None:
            raise DataError(problem, location="history", remedy="Name items by id, title or raw id.")
        items.append(item)
    return np.array(items, dtype=np.int32)


def read_histories(path: Path, catalogue: Titles) -> Histories:
    """Histories from lines ``user,item``: a title or raw id each, oldest first; a first line ``user,...`` is a header.

    Items that are not found are listed in ``unknown`` and left out, as are users without a known item.
    """
    seen: dict[str, list[int]] = {}
    unknown: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(csv.reader(file), start=1):
                if not line or (number == 1 and line[0].strip().lower() == "user"):
                    continue
                if len(line) != 2 or not line[0].strip():
                    raise DataError(
                        f"{len(line)} cells where 'user,item' was expected",
                        location=f"{path}, line {number}",
                        remedy="Put a title that holds a comma into double quotes.",
                    )
                item, problem = resolve(catalogue, line[1])
                own = seen.setdefault(line[0].strip(), [])
                if item is None:
                    unknown.append(f"{path.name}, line {number}: {problem}")
                else:
                    own.append(item)
    except OSError as error:
        cause = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise DataError(cause, location=str(path), remedy="Give a CSV of lines user,item.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"this is not a CSV in UTF-8 ({error})", location=str(path), remedy="Save it as UTF-8."
        ) from error
    unknown += [f"user {clean(user)}: no known item, left out" for user, items in seen.items() if not items]
    kept = {user: items for user, items in seen.items() if items}
    if not kept:
        reasons = "; ".join(["no user has a known item", *unknown[:3]])
        raise DataError(reasons, location=str(path), remedy="Write titles as the catalogue has them, or raw ids.")
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in kept.values()])])
    flat = np.array([item for items in kept.values() for item in items], dtype=np.int32)
    return Histories(list(kept), flat, offsets.astype(np.int64), unknown)


def resolve(catalogue: Titles, name: str) -> tuple[int | None, str]:
    """The item that a title or raw id means; None and the reason when it means none or several."""
    found = catalogue.named(name)
    shown = clean(name, 80)
    if len(found) == 1:
        return found[0], ""
    if found:
        listed = ", ".join(catalogue.raw[item] for item in found[:5])
        return None, f"{len(found)} items are called '{shown}'; their raw ids: {listed}"
    near = [f"'{catalogue.titles[item]}'" for item in catalogue.nearest(name)]
    return None, f"no item is called '{shown}'" + (f"; nearest: {', '.join(near)}" if near else "")
