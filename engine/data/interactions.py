"""What every reader returns: events as columns of codes, raw ids, and the catalogue's titles.

Letters: E events, U users, N items, C catalogue entries. Codes are positions in ``users`` and ``items``, not item ids:
ids are given when it is known which items stay (``engine.data.prepare``).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data import raw_ids


@dataclass(frozen=True)
class Catalogue:
    """Titles and texts by item, in any order; of several entries of an item the first that is not empty counts."""

    raw: pa.Array  # [C] raw item ids, text
    title: pa.Array  # [C] text, as it stands in the file
    text: pa.Array  # [C] more about the item: genres, brand, description; may be empty
    complete: bool  # every entry is an item of the set, with or without events


@dataclass(frozen=True)
class Interactions:
    """Events in the order of the file."""

    user: NDArray[np.int32]  # [E] code
    item: NDArray[np.int32]  # [E] code
    users: pa.Array  # [U] raw ids, text
    items: pa.Array  # [N] raw ids, text
    time: NDArray[Any] | None  # [E] int32, int64 or float64; None: the order of the file is the order of time
    rating: NDArray[Any] | None  # [E] float32, or float16 where it is as exact
    catalogue: Catalogue | None
    part: NDArray[np.int8] | None = None  # [U] 0 train, 1 validation, 2 test, where the files carry a split

    def __len__(self) -> int:
        return len(self.user)

    def release(self, *columns: str) -> None:
        """Give up the memory of columns of the events, which are empty then."""
        for name in columns:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, getattr(self, name)[:0].copy())

    def replace_time(self, time: NDArray[Any]) -> None:
        """Times [E] of another unit or origin in place of these."""
        object.__setattr__(self, "time", time)


def coded(
    user: tuple[NDArray[np.int32], pa.Array],
    item: tuple[NDArray[np.int32], pa.Array],
    time: NDArray[Any] | None,
    rating: NDArray[np.float32] | None,
    catalogue: Catalogue | None,
) -> Interactions:
    """Interactions of coded columns (codes [E], raw ids of the codes); a complete catalogue's items get codes, too.

    An id that is written in several ways is one id, in the catalogue as well.
    """
    user, item = raw_ids.merged(*user), raw_ids.merged(*item)
    items = item[1]
    if catalogue is not None:
        catalogue = replace(catalogue, raw=raw_ids.normalised(catalogue.raw))
    if catalogue is not None and catalogue.complete:
        unseen = pc.invert(pc.is_in(catalogue.raw, value_set=items))
        items = pa.concat_arrays([items, catalogue.raw.filter(unseen)])
    return Interactions(user[0], item[0], user[1], items, time, rating, catalogue)
