"""User and item vectors whose inner product is the score, as an index of vectors wants them.

A network with a bias per item has it in one more column of the item vectors, in which user vectors have a one.
Letters: U users, D width of a user vector (with that column), n items.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.data.ids import PADDING
from engine.recommend import recommendations
from engine.recommend.histories import Histories
from engine.student.model import SequenceModel, load_student

MODEL, VECTORS = "model.safetensors", "item_vectors"


def user_vector(model: SequenceModel, states: Tensor) -> Tensor:  # [U, S] -> [U, D]
    """A user's vector from the state after the history."""
    _, bias = model.item_table()
    return states if bias is None else torch.cat([states, torch.ones_like(states[:, :1])], dim=1)


def vector_table(model: SequenceModel) -> Tensor:  # -> [n + 1, D]
    """The vector of every item id, that of the padding included."""
    table, bias = model.item_table()
    return table if bias is None else torch.cat([table, bias[:, None]], dim=1)


@torch.no_grad()
def item_vectors(model: SequenceModel) -> tuple[NDArray[np.int64], NDArray[np.float32]]:  # -> [n], [n, D]
    """Item ids and their vectors."""
    table = vector_table(model).float().cpu().numpy()
    return np.arange(PADDING + 1, len(table), dtype=np.int64), table[PADDING + 1 :]


class UserVectors:
    """The user vectors of an exported student: a function of histories."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """``folder`` is where ``engine export model`` wrote ``model.safetensors``. RunError when it is not there."""
        self.model, self.device = load_student(Path(folder) / MODEL, device), device

    @torch.no_grad()
    def __call__(self, histories: Sequence[Sequence[int]]) -> NDArray[np.float32]:  # -> [U, D]
        """A vector for each history of item ids, oldest first. ValueError for an id that no item has."""
        flat = np.array([item for history in histories for item in history], dtype=np.int32)
        if len(flat) and not PADDING < flat.min() <= flat.max() <= self.model.items:
            raise ValueError(f"item ids are {PADDING + 1} to {self.model.items}: {flat.min()} to {flat.max()} given")
        return vectors_of(self.model, flat, [len(history) for history in histories], self.device)


def vectors_of(
    model: SequenceModel, items: NDArray[np.int32], lengths: Sequence[int], device: str = "cpu"
) -> NDArray[np.float32]:  # [E], [U] -> [U, D]
    """User vectors of histories that stand one after the other in ``items``."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    states = recommendations.vectors(model, Histories([""] * len(lengths), items, offsets, []), device)
    return user_vector(model, states).float().cpu().numpy()


def write_npy(folder: Path, model: SequenceModel) -> list[str]:
    """Writes item_vectors.npy [n, D] and item_ids.npy [n]; returns the names of the files."""
    ids, vectors = item_vectors(model)
    np.save(folder / f"{VECTORS}.npy", vectors)
    np.save(folder / "item_ids.npy", ids)
    return [f"{VECTORS}.npy", "item_ids.npy"]


def write_safetensors(folder: Path, model: SequenceModel) -> list[str]:
    """Writes item_vectors.safetensors with ``ids`` [n] and ``vectors`` [n, D]; returns the name of the file."""
    ids, vectors = item_vectors(model)
    save_file({"ids": torch.from_numpy(ids), "vectors": torch.from_numpy(vectors)}, folder / f"{VECTORS}.safetensors")
    return [f"{VECTORS}.safetensors"]
