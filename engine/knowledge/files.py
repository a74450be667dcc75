"""DLLM2Rec's files: rankings and item vectors to and from other programs, ids converted (REFERENCE d.2).

``all_embeddings.pt`` (items, width), ``myrank_train.txt`` item ids from 0, best first, one line a training row, and
``confidence_train.txt`` the distance of each listed item (in spite of its name, smaller is surer). ``train_data.csv``
beside them names the row of each line.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data import ids
from engine.data.sequences import Sequences
from engine.errors import DataError
from engine.knowledge import windows
from engine.knowledge.folder import DISTANCES, NAMES, RANKS, ROWS, VECTORS
from engine.knowledge.rankings import Rankings
from engine.runs.text import clean

Numbers = NDArray[np.float64]
WRITTEN = (VECTORS, RANKS, DISTANCES, ROWS, NAMES)


def write(folder: Path, rankings: Rankings, vectors: Tensor, sequences: Sequences) -> None:
    """Writes the three files and their rows; vectors [n + 1, H] lose their padding's row."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(vectors[ids.PADDING + 1 :].clone(), folder / VECTORS)
    np.savetxt(folder / RANKS, ids.to_zero_based(rankings.items.numpy()), fmt="%d")
    np.savetxt(folder / DISTANCES, rankings.distances.numpy(), fmt="%.6f")
    rows = windows.windows(sequences, rankings.rows.numpy())
    windows.write(folder / ROWS, rows, len(vectors) - 1)


def write_rows(folder: Path, sequences: Sequences, titles: Sequence[str]) -> None:
    """Writes the rows to be ranked and the items' names: what another program's teacher needs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = windows.windows(sequences, windows.predicted_events(sequences))
    windows.write(folder / ROWS, rows, len(titles) - 1)
    named = zip(ids.to_zero_based(np.arange(len(titles))[ids.PADDING + 1 :]), titles[ids.PADDING + 1 :], strict=True)
    lines = "".join(f"{item}::{clean(title)}\n" for item, title in named)
    (folder / NAMES).write_text(lines, encoding="utf-8")


def read(folder: Path, sequences: Sequences, items: int) -> tuple[Rankings, Tensor]:
    """Rankings of the training rows, and item vectors [n + 1, H] with a zero padding row.

    Without ``train_data.csv`` there must be a line for each row, in their order, with or without each user's first.
    The pickle is opened in PyTorch's safe mode, which runs no code. DataError says which file does not fit.
    """
    ranked, distances = _ranked(folder, items)
    rows = windows.predicted_events(sequences)
    if (folder / ROWS).is_file():
        given = windows.read(folder / ROWS, items)
        if len(given) != len(ranked):
            raise DataError(
                f"{RANKS} has {len(ranked)} lines for the {len(given)} rows of {ROWS}",
                location=str(folder),
                remedy="Both need one line for each row, in the same order.",
            )
        line = windows.match_lines(windows.windows(sequences, rows), given, folder / ROWS)
        rows, line = rows[line >= 0], line[line >= 0]
    elif len(ranked) == len(rows):
        line = np.arange(len(rows))
    elif len(ranked) == len(sequences.items):
        line = rows  # also a line for each user's first event, which has no history
    else:
        raise DataError(
            f"{RANKS} has {len(ranked)} lines, but there are {len(rows)} training rows",
            location=str(folder),
            remedy=f"It needs one line for each training row, in order, or a {ROWS} with the row of each line: "
            "engine export DATA-RUN --to DIR writes both order and numbering.",
        )
    found = Rankings(
        torch.from_numpy(rows), torch.from_numpy(ranked[line]), torch.from_numpy(distances[line].astype(np.float32))
    )
    return found, _vectors(folder / VECTORS, items)


def _ranked(folder: Path, items: int) -> tuple[NDArray[np.int32], Numbers]:
    """Our item ids [L, K], best first, and their distances [L, K]."""
    numbers, distances = _table(folder / RANKS), _table(folder / DISTANCES)
    if numbers.shape != distances.shape:
        raise DataError(
            f"{RANKS} is {numbers.shape}, {DISTANCES} {distances.shape}",
            location=str(folder),
            remedy="Both need one line for each training row, in order, with as many columns as each other.",
        )
    outside = ~((numbers >= 0) & (numbers < items) & (numbers == np.floor(numbers)))
    if outside.any():
        raise _faulty(
            folder / RANKS, outside, f"an id is not a whole number of 0..{items - 1}", "Ids are 0-based item numbers."
        )
    ordered = np.sort(numbers, axis=1)
    twice = ordered[:, 1:] == ordered[:, :-1]
    if twice.any():
        raise _faulty(folder / RANKS, twice, "an item is ranked twice", "Write item ids, best first: not their ranks.")
    if np.isnan(distances).any():
        raise _faulty(folder / DISTANCES, np.isnan(distances), "a distance is not a number", "Write a number.")
    if (distances[:, 0] > distances[:, -1]).mean() > 0.5:
        raise DataError(
            "most lines begin with their greatest distance",
            location=str(folder / DISTANCES),
            remedy="Smaller is surer: write distances, or -log p, of the items in the order of their ranking.",
        )
    return ids.from_zero_based(numbers), distances


def _faulty(path: Path, wrong: NDArray[np.bool_], what: str, remedy: str) -> DataError:
    line = int(np.flatnonzero(wrong.any(axis=1))[0]) + 1
    return DataError(what, location=f"{path}:{line}", remedy=remedy)


def _vectors(path: Path, items: int) -> Tensor:  # -> [n + 1, H]
    try:
        vectors: Tensor = torch.load(path, weights_only=True, map_location="cpu").float()
    except (OSError, RuntimeError, ValueError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"the item vectors cannot be read ({clean(str(error), 200)})",
            location=str(path),
            remedy="Save one plain tensor: torch.save(vectors, FILE).",
        ) from error
    if vectors.ndim != 2 or len(vectors) != items:
        raise DataError(
            f"{tuple(vectors.shape)} vectors do not fit {items} items",
            location=str(path),
            remedy="One row for each item, in order of their ids.",
        )
    if not torch.isfinite(vectors).all():
        raise DataError("a vector has an entry that is not a finite number", location=str(path))
    return torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors])


def _table(path: Path) -> Numbers:
    try:
        table: Numbers = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"this is not a table of numbers ({clean(str(error), 200)})", location=str(path)) from error
    if not table.size:
        raise DataError("the file is empty", location=str(path), remedy="Give one line for each training row.")
    return table
