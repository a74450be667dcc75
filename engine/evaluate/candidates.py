"""The candidate protocol of LLaRA and iLoRA with fixed sets: the target and negatives, drawn once with a seed.

The published loaders draw them anew at every access (REFERENCE a.3, f.1-14), so their figures change with the draw.
Letters: R rows, C candidates, H latest items of a history.
"""

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Rows


def possible(items: int, size: int, history: int) -> bool:
    """Whether every row has enough items that are neither its target nor among its ``history`` latest ones."""
    return items - history >= size


def draw(rows: Rows, items: int, size: int, history: int, seed: int) -> NDArray[np.int32]:
    """[R, C] item ids: the target, then ``size - 1`` negatives drawn uniformly without replacement.

    A negative is neither the target nor among the row's ``history`` latest items; it may be an older one.
    """
    if not possible(items, size, history):
        raise ValueError(f"{items} items are too few for {size} candidates outside of {history} latest items")
    random = np.random.default_rng(seed)
    places = rows.stop[:, None] - np.arange(history, 0, -1)  # [R, H]
    latest = np.where(places >= rows.start[:, None], rows.items[np.maximum(places, 0)], ids.PADDING)
    taken = np.concatenate([latest, np.zeros((len(rows), size), dtype=np.int32)], axis=1)
    taken[:, history] = rows.targets
    for column in range(history + 1, history + size):
        wanted = np.arange(len(rows))  # rows whose draw is not accepted yet
        while len(wanted):
            drawn = random.integers(ids.PADDING + 1, ids.rows(items), len(wanted), dtype=np.int32)
            fresh = (taken[wanted, :column] != drawn[:, None]).all(axis=1)
            taken[wanted[fresh], column] = drawn[fresh]
            wanted = wanted[~fresh]
    return np.ascontiguousarray(taken[:, history:])
