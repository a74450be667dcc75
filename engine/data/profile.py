"""The content of ``profile.json``: counts, split, order and a hash of the test targets."""

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.settings.data import DataSettings
from engine.data import ties
from engine.data.catalogue import repeated_titles
from engine.data.repeated_targets import PROFILED, repeated
from engine.data.sequences import Rows
from engine.data.splits import Events, Split
from engine.data.untitled import untitled

ORDER_BY_TIME = "time, ties by position in the file"
ORDER_OF_FILE = "position in the file"


def profile(
    settings: DataSettings,
    titled: bool,
    read: int,
    events: Events,
    split: Split,
    items: pa.Table,
    dropped: dict[str, int],
) -> dict[str, Any]:
    """The content of profile.json but for the source. ``titled``: with a catalogue; ``read``: events of the files."""
    trained, validated, tested = (
        np.bincount(part.users, minlength=len(events.lengths)) > 0
        for part in (split.trained, split.validation, split.test)
    )
    held_out = validated | tested
    return {
        "name": settings.name,
        "users": len(events.lengths),
        "items": len(items),
        "interactions": len(events.items),
        "rows": {
            "train": int((split.trained.stop - split.trained.start).sum()),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "split_users": {
            "train": int(trained.sum()),
            "validation": int(validated.sum()),
            "test": int(tested.sum()),
            "trained on only": int((trained & ~held_out).sum()),
            "in no part": int((~trained & ~held_out).sum()),
        },
        PROFILED: {
            name: int(repeated(part).sum()) for name, part in (("validation", split.validation), ("test", split.test))
        },
        **({} if events.time is None else {ties.PROFILED: asdict(ties.ties(events, split.test))}),
        "split": settings.split,
        "window": settings.window,
        "order": ORDER_OF_FILE if events.time is None else ORDER_BY_TIME,
        "targets_hash": targets_hash(split.test),
        "read": read,
        "dropped": {reason: count for reason, count in dropped.items() if count},
        "titles": {
            "given": titled,
            "missing": untitled(*_columns(items, "raw", "title")),
            "shared": repeated_titles(items),
        },
        "cold_items": int((items["seen"].to_numpy() == 0).sum()),
        "min_rating": settings.min_rating,
        "core_users": settings.core_users,
        "core_items": settings.core_items,
    }


def targets_hash(test: Rows) -> str:
    """First 12 hex digits of the SHA-256 of the test targets as little-endian int32, in order of the rows."""
    return hashlib.sha256(test.targets.astype("<i4").tobytes()).hexdigest()[:12]


def _columns(table: pa.Table, *names: str) -> list[list[str]]:
    return [table[name].to_pylist() for name in names]
