"""Candidate sets: a target among negatives that its history does not hold. Items are 1..n, 0 is padding.

``draw`` makes the fixed sets that all models rank (LLaRA, iLoRA); the published loaders draw them anew at every access
(REFERENCE a.3, f.1-14), so their figures change with the draw. ``chance_of_first`` is the mean over all draws.
``offered`` makes the sets of a teacher's prompts.

Letters: R rows, H items of a history, C candidates, n items.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

Ints = NDArray[Any]


def possible(items: int, size: int, history: int) -> bool:
    """Whether every row has enough items that are neither its target nor among its ``history`` latest ones."""
    return items - history >= size


def draw(latest: Ints, targets: Ints, items: int, size: int, seed: int) -> NDArray[np.int32]:
    """[R, C] item ids: the target, then ``size - 1`` negatives drawn uniformly without replacement.

    A negative is neither the target [R] nor among the ``latest`` items [R, H] of the row; it may be an older one.
    """
    rows, history = latest.shape
    if not possible(items, size, history):
        raise ValueError(f"{items} items are too few for {size} candidates outside of {history} latest items")
    random = np.random.default_rng(seed)
    taken = np.concatenate([latest, np.zeros((rows, size), dtype=np.int32)], axis=1)
    taken[:, history] = targets
    for column in range(history + 1, history + size):
        open_rows = np.arange(rows)  # rows whose draw is not accepted yet
        while len(open_rows):
            drawn = random.integers(1, items + 1, len(open_rows), dtype=np.int32)
            fresh = (taken[open_rows, :column] != drawn[:, None]).all(axis=1)
            taken[open_rows[fresh], column] = drawn[fresh]
            open_rows = open_rows[~fresh]
    return np.ascontiguousarray(taken[:, history:])


def left_out(latest: Ints, targets: Ints) -> Ints:
    """[R, H] the items of a history besides the target that are no negatives, each once; padding elsewhere."""
    ordered = np.sort(latest, axis=1)
    again = np.zeros(ordered.shape, dtype=bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return np.where(again | (ordered == targets[:, None]), 0, ordered)


def chance_of_first(ahead: Ints, pool: Ints, negatives: int) -> NDArray[np.float64]:
    """[R] probability that the target is first, over all draws of ``negatives`` items without replacement from a pool.

    ``pool`` [R] is the number of items that may be drawn, ``ahead`` [R] how many of them score as high as the target or
    higher: C(pool - ahead, negatives) / C(pool, negatives). Its mean is the expectation of hr@1 over draws.
    """
    drawn = np.arange(negatives)
    left = np.maximum(0, (pool - ahead)[:, None] - drawn)
    chance: NDArray[np.float64] = (left / (pool[:, None] - drawn)).prod(axis=1)
    return chance


def offered(history: Ints, targets: Ints, items: int, count: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """[R, H] histories, [R] targets -> [R, C] item ids in random order, the target once among them.

    The others are drawn uniformly without replacement from the items that are neither in the history nor the target
    (REFERENCE a.3); rejected draws are repeated.
    """
    if not possible(items, count, history.shape[1]):
        raise DataError(
            f"{count} candidates cannot be drawn from {items} items beside a history of {history.shape[1]}",
            location="teacher.generate.candidates",
            remedy=f"Use at most {max(2, items - history.shape[1])} candidates, or a shorter teacher.history.",
        )
    found = np.zeros((len(targets), count), dtype=np.int64)
    found[:, 0] = targets
    while (empty := found == 0).any():
        found[empty] = draw.integers(1, items, int(empty.sum()), endpoint=True)
        wrong = (found[:, :, None] == history[:, None, :]).any(axis=2)
        order = np.argsort(found, axis=1, kind="stable")  # of equal items only the first one stays
        ordered = np.take_along_axis(found, order, axis=1)
        again = np.zeros_like(wrong)
        np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        wrong |= again
        wrong[:, 0] = False
        found[wrong] = 0
    return draw.permuted(found, axis=1)
