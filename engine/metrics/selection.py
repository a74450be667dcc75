"""How much better the best of several alternatives looks on the rows that chose it than on others. NumPy alone.

The alternatives are mixtures, settings or epochs. Half of the users chooses, the other half judges, and the reverse.
Letters: M alternatives, R rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Users = NDArray[np.int64]

HALVES = ("first half", "second half")  # keys of the figures on both halves of the users


def in_first_half(users: Users) -> NDArray[np.bool_]:  # [R] -> [R]
    """Which rows belong to the first half of the users: by a hash, because neighbouring numbers may be alike."""
    first: NDArray[np.bool_] = (users.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(63) == 0
    return first


def cross_fitted(values: Floats, users: Users) -> tuple[Floats, float] | None:  # [M, R], [R] -> [R]
    """Every row under the alternative that is best on the other half of the users, and the optimism of that choice.

    The optimism is the figure on the choosing rows minus the figure on the judging rows, a mean over both halves. None
    where all users are in one half.
    """
    first = in_first_half(users)
    if first.all() or not first.any():
        return None
    fitted, means = np.empty(len(users)), np.stack([values[:, first].mean(axis=1), values[:, ~first].mean(axis=1)], 1)
    fitted[first] = values[means[:, 1].argmax()][first]
    fitted[~first] = values[means[:, 0].argmax()][~first]
    return fitted, optimism(means.tolist())


def by_half(values: Floats, users: Users) -> dict[str, float]:  # [R], [R]
    """The means of one alternative on both halves, under ``HALVES``; empty where all users are in one half."""
    first = in_first_half(users)
    if first.all() or not first.any():
        return {}
    return dict(zip(HALVES, (float(values[first].mean()), float(values[~first].mean())), strict=True))


def optimism(halves: Sequence[Sequence[float]]) -> float:  # [M, 2]
    """The optimism of choosing one of M alternatives by their means on both halves, as in ``cross_fitted``."""
    means = np.asarray(halves, dtype=np.float64)
    best = [means[:, half].argmax() for half in (0, 1)]
    return float(np.mean([means[best[half], half] - means[best[half], 1 - half] for half in (0, 1)]))
