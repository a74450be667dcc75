"""DLLM2Rec's own files: rankings and item vectors to and from other programs, numbering converted (REFERENCE d.2).

``all_embeddings.pt`` (items, width), ``myrank_train.txt`` item ids from 0, best first, one line a training row, and
``confidence_train.txt`` the distance of each listed item (smaller is surer, whatever its name says).
"""

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.data import ids
from engine.errors import DataError
from engine.knowledge.rankings import Rankings

VECTORS, RANKS, DISTANCES = "all_embeddings.pt", "myrank_train.txt", "confidence_train.txt"


def write(folder: Path, rankings: Rankings, vectors: Tensor) -> None:
    """The three files; lines are in the order of ``rankings``, vectors [n + 1, H] lose their padding's row."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(vectors[ids.PADDING + 1 :].clone(), folder / VECTORS)
    np.savetxt(folder / RANKS, ids.to_zero_based(rankings.items.numpy()), fmt="%d")
    np.savetxt(folder / DISTANCES, rankings.distances.numpy(), fmt="%.6f")


def read(folder: Path, rows: Tensor, items: int) -> tuple[Rankings, Tensor]:
    """Rankings of the training rows ``rows`` [R], line by line, and item vectors [n + 1, H] with a zero padding row.

    The pickle is opened in PyTorch's safe mode, which runs no code. DataError says which file does not fit.
    """
    ranked = ids.from_zero_based(_table(folder / RANKS).astype(np.int64))
    distances = _table(folder / DISTANCES).astype(np.float32)
    if ranked.shape != distances.shape or len(ranked) != len(rows):
        raise DataError(
            f"{RANKS} is {ranked.shape}, {DISTANCES} {distances.shape}, and there are {len(rows)} training rows",
            place=str(folder),
            remedy="Both need one line for each training row, in order, with as many columns as each other.",
        )
    if ranked.min(initial=1) <= ids.PADDING or ranked.max(initial=0) >= ids.rows(items):
        raise DataError(
            f"an id lies outside 0..{items - 1}", place=str(folder / RANKS), remedy="Ids are 0-based item numbers."
        )
    try:
        vectors: Tensor = torch.load(folder / VECTORS, weights_only=True, map_location="cpu").float()
    except (OSError, RuntimeError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise DataError(f"the item vectors cannot be read ({error})", place=str(folder / VECTORS)) from error
    if vectors.ndim != 2 or len(vectors) != items:
        raise DataError(
            f"{tuple(vectors.shape)} vectors do not fit {items} items",
            place=str(folder / VECTORS),
            remedy="One row for each item, in order of their ids.",
        )
    whole = torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors])
    return Rankings(rows, torch.from_numpy(ranked), torch.from_numpy(distances)), whole


def _table(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    try:
        return np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"this is not a table of numbers ({error})", place=str(path)) from error
