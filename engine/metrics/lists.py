"""One row at a time in NumPy, for programs that must not import torch: best items, rank of an item, grounding, overlap.

The same formulas as ``ranking`` and ``grounding``. Letters: n items, W width of an answer. Entry 0 is the padding.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]  # [n + 1]


def first_items(scores: Scores, seen: Iterable[int], count: int) -> list[tuple[int, float]]:
    """The ``count`` best items and their scores, best first, without those seen; ties in the order of the ids."""
    left = _without(scores, seen)
    order = np.argsort(-left, kind="stable")[:count]
    return [(item, float(left[item])) for item in order.tolist() if left[item] != -np.inf]


def rank_of(scores: Scores, seen: Collection[int], item: int) -> float:
    """Rank of ``item`` among the items not seen, infinite where it is seen itself; ties share their average rank."""
    left = _without(scores, seen)
    own = scores[item]
    if item in seen:
        return math.inf
    left[item] = -np.inf
    return 1.0 + float((left > own).sum()) + float((left == own).sum()) / 2


def grounded(
    answer: NDArray[np.float32], items: NDArray[np.float32], popularity: NDArray[np.float32], gamma: float
) -> NDArray[np.float32]:  # [W], [n + 1, W], [n + 1] -> [n + 1]
    """``engine.metrics.grounding.scores`` of one answer: minus its adjusted distances to the items."""
    distance = np.linalg.norm(items - answer, axis=1)
    tiny = np.finfo(np.float32).tiny
    near, liked = ((part - part[1:].min()) / max(float(np.ptp(part[1:])), tiny) for part in (distance, popularity))
    scores: NDArray[np.float32] = -near * (1 + np.maximum(liked, 0)) ** -gamma if answer.any() else np.zeros_like(near)
    return scores


def shared(lists: Mapping[str, Sequence[int]]) -> list[tuple[str, str, int]]:
    """How many items every two lists have in common."""
    return [(one, other, len({*lists[one]} & {*lists[other]})) for one, other in combinations(lists, 2)]


def _without(scores: Scores, seen: Iterable[int]) -> Scores:
    """A copy in which the padding and the items seen are minus infinity. ValueError where a score is not a number."""
    if np.isnan(scores[1:]).any():
        raise ValueError("a score is not a number")
    left = scores.astype(np.float32)
    left[[0, *seen]] = -np.inf
    return left
