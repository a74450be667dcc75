"""Lists beside each other: the first items of scores, where the true one stands, what lists share. Without torch.

Letters: n items, S items seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.data import ids

Scores = NDArray[np.float32]  # [n + 1]


def first_items(scores: Scores, seen: Iterable[int], count: int) -> list[tuple[int, float]]:
    """The ``count`` best items and their scores, best first, without those seen; ties in the order of the ids."""
    left = _without(scores, seen)
    order = np.argsort(-left, kind="stable")[:count]
    return [(item, float(left[item])) for item in order.tolist() if left[item] != -np.inf]


def rank_of(scores: Scores, seen: Iterable[int], item: int) -> float:
    """Place of ``item`` among the items not seen; itself it counts even if seen. Ties share their average place."""
    left = _without(scores, seen)
    own = scores[item]
    left[item] = -np.inf
    return 1.0 + float((left > own).sum()) + float((left == own).sum()) / 2


def shared(lists: Mapping[str, Sequence[int]]) -> list[tuple[str, str, int]]:
    """How many items every two lists have in common."""
    return [(one, other, len({*lists[one]} & {*lists[other]})) for one, other in combinations(lists, 2)]


def _without(scores: Scores, seen: Iterable[int]) -> Scores:
    """A copy in which the padding and the items seen are minus infinity. ValueError where a score is not a number."""
    if np.isnan(scores[ids.PADDING + 1 :]).any():
        raise ValueError("a score is not a number")
    left = scores.astype(np.float32)
    left[[ids.PADDING, *seen]] = -np.inf
    return left
