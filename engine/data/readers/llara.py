"""Rows of LLaRA, iLoRA and DLLM2Rec as JSON lines: windows of ten 0-based ids and the item that follows.

Letters: R rows, E events.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.interactions import Catalogue, Interactions
from engine.data.layouts import CATALOGUE, INTERACTIONS, TEST, VALIDATION
from engine.data.readers import json_lines
from engine.data.readers.movielens import films_100k
from engine.data.readers.opened import lines
from engine.data.sources import Source, Sources
from engine.data.splits import TEST as TEST_PART
from engine.data.splits import TRAIN
from engine.data.splits import VALIDATION as VALIDATION_PART
from engine.errors import DataError
from engine.runs.text import clean

Windows = tuple[NDArray[np.int64], NDArray[np.int64]]  # histories [R, 10] with -1 where there is none, targets [R]


def read(sources: Sources, encodings: tuple[str, ...]) -> Interactions:
    """One user for every chain of training windows, one for every validation and test window.

    A training window goes on with the user before it when its history is that user's history and target; an empty
    history begins a new user. The users are numbered in the order of the files.
    """
    catalogue = _catalogue(sources.parts[CATALOGUE], encodings)
    padding = len(catalogue.raw)
    user_parts, item_parts, parts, users = [], [], [], 0
    for role, part in ((INTERACTIONS, TRAIN), (VALIDATION, VALIDATION_PART), (TEST, TEST_PART)):
        source = sources.parts[role]
        histories, targets = _windows(source, padding)
        new = _begins(histories, targets) if part == TRAIN else np.ones(len(targets), dtype=bool)
        user, item = _events(histories, targets, new)
        user_parts.append(user + users)
        item_parts.append(item)
        parts.append(np.full(int(new.sum()), part, dtype=np.int8))
        users += int(new.sum())
    return Interactions(
        user=np.concatenate(user_parts).astype(np.int32),
        item=np.concatenate(item_parts).astype(np.int32),
        users=pa.array(np.arange(users).astype(str)),
        items=catalogue.raw,
        time=None,
        rating=None,
        catalogue=catalogue,
        part=np.concatenate(parts),
    )


def _windows(source: Source, padding: int) -> Windows:
    """Histories and targets of a file. An entry is an id, or an id with its rating."""
    read = json_lines.table(source, None, ("seq", "next"))
    target, width = read["next"].combine_chunks(), pc.list_value_length(read["seq"])
    if len(pc.unique(width)) > 1:
        raise _wrong(source, int(np.argmax(np.asarray(width) != width[0].as_py())), "has another length than the first")
    history = read["seq"].combine_chunks().flatten()
    if pa.types.is_list(history.type):
        history = pc.list_element(history, 0)
    if pa.types.is_list(target.type):
        target = pc.list_element(target, 0)
    ids, targets = np.asarray(history).reshape(len(target), -1).astype(np.int64), np.asarray(target).astype(np.int64)
    outside = ((ids < 0) | (ids > padding)).any(axis=1) | (targets < 0) | (targets >= padding)
    if outside.any():
        raise _wrong(source, int(np.argmax(outside)), f"has an item that is not among the {padding} of the names")
    ids = np.where(ids == padding, -1, ids)
    gaps = (np.diff((ids >= 0).astype(np.int8), axis=1) > 0).any(axis=1)
    if gaps.any():
        raise _wrong(source, int(np.argmax(gaps)), "has items after padding")
    return ids, targets


def _begins(histories: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which windows [R] begin a new user."""
    width = histories.shape[1]
    known = (histories >= 0).sum(axis=1)
    grown = np.concatenate([histories, np.full((len(histories), 1), -1)], axis=1)
    grown[np.arange(len(grown)), known] = targets  # history and target, oldest first
    expected = np.where((known == width)[:, None], grown[:, 1:], grown[:, :-1])
    goes_on = (histories[1:] == expected[:-1]).all(axis=1)  # never where the history is empty
    return np.append(True, ~goes_on)


def _events(
    histories: NDArray[np.int64], targets: NDArray[np.int64], new: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """User and item of every event [E]: a user's first window gives history and target, later ones the target."""
    shown = np.where(new[:, None], histories, -1)
    items = np.concatenate([shown, targets[:, None]], axis=1)
    users = np.broadcast_to((np.cumsum(new) - 1)[:, None], items.shape)
    real = items >= 0
    return users[real], items[real]


def _catalogue(source: Source, encodings: tuple[str, ...]) -> Catalogue:
    """``id::name`` lines with ids 0..n-1, or MovieLens-100K's ``u.item`` with ids 1..n; raw ids are 0-based."""
    if source.name == "u.item":
        films = films_100k(source, encodings)
        return Catalogue(pa.array(np.arange(len(films.raw)).astype(str)), films.title, films.text, complete=True)
    names = {}
    for number, line in enumerate(lines(source, encodings), start=1):
        raw, separator, name = line.partition("::")  # a name may have '::' in it
        if not separator or not raw.isdigit():
            raise DataError(
                f"the line '{clean(line, 60)}' is not id::name",
                location=f"{source}:{number}",
                remedy="Correct this line.",
            )
        names[int(raw)] = name
    if sorted(names) != list(range(len(names))):
        raise DataError(
            f"the ids are not 0 to {len(names) - 1}, so the padding is unknown",
            location=str(source),
            remedy="Give the file with the names of all items, each id once.",
        )
    ordered = [names[item] for item in range(len(names))]
    return Catalogue(
        raw=pa.array(np.arange(len(names)).astype(str)),
        title=pa.array(ordered, pa.string()),
        text=pa.array([""] * len(names), pa.string()),
        complete=True,
    )


def _wrong(source: Source, row: int, problem: str) -> DataError:
    return DataError(f"row {row + 1} {problem}", location=str(source), remedy="Correct or delete this row.")
