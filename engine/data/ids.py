"""An id is an index: ``PADDING`` is 0, items are 1..n, and row, column and ranking entry of an item carry its id.

The only file that does arithmetic on item ids: foreign numberings enter and leave through these functions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

PADDING = 0


def rows(items: int) -> int:
    """Rows of a table that holds one entry per item and one for the padding."""
    return items + 1


def from_zero_based(ids: ArrayLike, padding: int | None = None) -> NDArray[np.int32]:
    """Ids 0..n-1, with ``padding`` (usually n) for empty places, as our ids."""
    foreign = np.asarray(ids, dtype=np.int64)
    own = foreign + 1
    return np.where(foreign == padding, PADDING, own).astype(np.int32) if padding is not None else own.astype(np.int32)


def to_zero_based(ids: ArrayLike) -> NDArray[np.int64]:
    """Our ids as 0..n-1; the padding has no such id."""
    own = np.asarray(ids, dtype=np.int64)
    if (own == PADDING).any():
        raise ValueError("the padding has no 0-based id: take the padded places out first")
    return own - 1


def codes(raw: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.generic]]:
    """Ids 1..n of raw ids in sorted order of the raw ids, and the n sorted raw ids: ``unique[k]`` is item ``k + 1``."""
    unique, inverse = np.unique(np.asarray(raw), return_inverse=True)
    return (inverse.reshape(-1) + 1).astype(np.int32), unique
