"""The ids of a former run: a set that has grown since keeps them, and gives new ones behind them.

Letters: U users, N items of the former run.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.catalogue import column
from engine.data.interactions import Interactions
from engine.errors import DataError
from engine.runs.schema import ARTIFACTS
from engine.stages import ITEMS, PROFILE, USERS

FEW = 0.5  # share of the known items that occur, below which a person should look


@dataclass(frozen=True)
class Known:
    """``items`` have the ids 1..N, ``users`` the indices 0..U-1."""

    run: str
    items: pa.Array  # [N] raw ids
    users: pa.Array  # [U] raw ids
    interactions: int

    @classmethod
    def read(cls, folder: Path) -> "Known":
        """Those of the data run at ``folder``."""
        items, users = (pa.array(column(folder / ARTIFACTS / one.file, "raw"), pa.string()) for one in (ITEMS, USERS))
        profile = json.loads((folder / ARTIFACTS / PROFILE.file).read_text(encoding="utf-8"))
        return cls(folder.name, items, users, profile["interactions"])


def extended(interactions: Interactions, known: Known) -> Interactions:
    """The same events, with a code for every known id. Raises DataError where none of the known items occurs."""
    if not pc.any(pc.is_in(known.items, value_set=interactions.items)).as_py():
        raise DataError(
            f"none of the {len(known.items):,} items of {known.run} occurs here, whose ids were to be kept",
            location="data.known",
            remedy="Name a run of the same set, or leave data.known out.",
        )
    return replace(
        interactions,
        users=_joined(interactions.users, known.users),
        items=_joined(interactions.items, known.items),
    )


def codes(known: pa.Array, raw: pa.Array) -> NDArray[np.int64]:  # [N], [codes] -> [N]
    """The code of every known id, in the order of the ids."""
    return np.asarray(pc.index_in(known, value_set=raw), dtype=np.int64)


def grown(known: Known, users: int, items: pa.Table, interactions: int) -> dict[str, Any]:
    """What is new against the former run: the numbers of a profile. ``items`` is the items table."""
    lost = int((items["seen"].to_numpy()[: len(known.items)] == 0).sum())
    return {
        "run": known.run,
        "new_users": users - len(known.users),
        "new_items": len(items) - len(known.items),
        "new_interactions": interactions - known.interactions,
        "known_items_unseen": lost,
    }


def remark(profile: dict[str, Any]) -> str:
    """A warning where most of the known items have no training event here; '' else."""
    found = profile.get("known")
    if found is None:
        return ""
    count = profile["items"] - found["new_items"]
    if found["known_items_unseen"] <= (1 - FEW) * count:
        return ""
    return f"{found['known_items_unseen']:,} of {count:,} items of {found['run']} have no training event here"


def _joined(own: pa.Array, known: pa.Array) -> pa.Array:
    return pa.concat_arrays([own, known.filter(pc.invert(pc.is_in(known, value_set=own)))])
