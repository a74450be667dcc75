"""An id is an index: ``PADDING`` is 0, items are 1..n, and row, column and ranking entry of an item carry its id.

The only file that does arithmetic on item ids: foreign numberings enter and leave through these functions.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

PADDING = 0


def rows(items: int) -> int:
    """Rows of a table that holds one entry per item and one for the padding."""
    return items + 1


def from_zero_based(ids: ArrayLike, padding: int | None = None) -> NDArray[np.int32]:
    """Ids 0..n-1, with ``padding`` (usually n) for padding, as our ids."""
    foreign = np.asarray(ids, dtype=np.int64)
    own = foreign + 1
    return np.where(foreign == padding, PADDING, own).astype(np.int32) if padding is not None else own.astype(np.int32)


def to_zero_based(ids: ArrayLike) -> NDArray[np.int64]:
    """Our ids as 0..n-1; the padding has no such id."""
    own = np.asarray(ids, dtype=np.int64)
    if (own == PADDING).any():
        raise ValueError("the padding has no 0-based id: remove the padding first")
    return own - 1


def natural_order(raw: pa.Array) -> NDArray[np.int64]:  # [N] text -> [N] positions
    """The order that numbers items and users: as numbers where every raw id is a whole number, else as text."""
    if pc.all(pc.match_substring_regex(raw, r"^(0|-?[1-9][0-9]{0,17})$")).as_py():
        return np.argsort(np.asarray(pc.cast(raw, pa.int64())), kind="stable")
    return np.asarray(pc.array_sort_indices(raw)).astype(np.int64)


def in_order(
    raw: pa.Array, present: NDArray[np.bool_], first: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:  # [N] text, [N], [K] positions -> [n] positions
    """The positions ``first`` as they are, then those that are ``present`` in natural order."""
    order = natural_order(raw)
    if first is None:
        return order[present[order]]
    rest = present.copy()
    rest[first] = False
    return np.concatenate([first, order[rest[order]]])


def assign(
    raw: pa.Array, present: NDArray[np.bool_], first: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids 1..n of the raw ids that are ``present``, in natural order, behind those of the positions ``first``.

    raw [N], present [N] -> id of every position [N], PADDING where it is not present; position of every id [n].
    """
    positions = in_order(raw, present, first)
    ids = np.full(len(raw), PADDING, dtype=np.int32)
    ids[positions] = np.arange(1, len(positions) + 1)
    return ids, positions


def with_padding(scores: NDArray[np.float32], item: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores of foreign columns as a matrix of our ids: column 0 is minus infinity, column k is ``item[k - 1]``."""
    result = np.full((len(scores), rows(len(item))), -np.inf, dtype=np.float32)
    result[:, 1:] = scores[:, item]
    return result
