"""Slices of the test rows, on which models may differ from the average over all rows.

By the target's popularity: items in order of their training events, the most popular ones that make up the share
``head`` of all events are the head, the least popular ones that make up ``tail`` the tail, items never trained on are
cold. By the length of the row's history. Where some targets are in their own history, those apart from new items.
Letters: R rows, n items.
"""

import itertools
import sys

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.data.repeated_targets import repeated
from engine.data.sequences import Rows

MANY = sys.maxsize  # longer than any history
HEAD, MIDDLE, TAIL, COLD = "head", "middle", "tail", "cold"
REPEATS, NEW = "repeats", "new items"


def item_classes(counts: NDArray[np.int64], head: float, tail: float) -> NDArray[np.str_]:
    """Class of every item id [n + 1] from its training events [n + 1]; equally popular items share theirs."""
    order = np.argsort(-counts[ids.PADDING + 1 :], kind="stable") + ids.PADDING + 1
    # Share of all events that lies with strictly more popular items.
    sums = np.concatenate([[0], np.cumsum(counts[order])]) / max(1, counts.sum())
    first = np.searchsorted(-counts[order], -counts[order], side="left")
    before = sums[first]
    classes = np.full(len(counts), MIDDLE, dtype="U6")
    classes[order[before < head]] = HEAD
    classes[order[before >= 1 - tail]] = TAIL
    classes[counts == 0] = COLD
    return classes


def slices(
    rows: Rows, counts: NDArray[np.int64], head: float, tail: float, lengths: list[int]
) -> dict[str, NDArray[np.bool_]]:
    """Name -> which rows belong [R]; slices without rows are left out."""
    classes = item_classes(counts, head, tail)[rows.targets]
    result = {name: classes == name for name in (HEAD, MIDDLE, TAIL, COLD)}
    size = rows.stop - rows.start
    for low, high in itertools.pairwise([0, *lengths, MANY]):
        name = f"history {low}-{high - 1}" if high < MANY else f"history {low}+"
        result[name] = (size >= low) & (size < high)
    again = repeated(rows)
    if again.any():
        result |= {REPEATS: again, NEW: ~again}
    return {name: mask for name, mask in result.items() if mask.any()}


def percentiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Popularity of every item id [n + 1]: the share of items with fewer training events, equal ones counted half."""
    own = np.sort(counts[ids.PADDING + 1 :])
    below, upto = np.searchsorted(own, counts, side="left"), np.searchsorted(own, counts, side="right")
    result: NDArray[np.float64] = (below + upto) / (2 * len(own))
    return result
