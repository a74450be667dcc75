"""Held-out targets that their row's own history holds, and whether rankings then leave out the items of a history.

One rule for evaluation, selection, knowledge and recommendations. Without torch. Letters: E events, R rows.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.settings.evaluate import AUTO, HIDE
from engine.data.sequences import BLOCK, Rows
from engine.runs.run import Run
from engine.stages import PROFILE, VALIDATION

MOST = 0.01  # share of validation targets that may repeat an item before ``auto`` ranks seen items too
PROFILED = "repeated_targets"  # key of profile.json: split -> number of such targets


def repeated(rows: Rows) -> NDArray[np.bool_]:  # [R]
    """Whether each row's target is in its history; rows of some users at a time, which takes less memory."""
    result = np.zeros(len(rows), dtype=bool)
    ordered = np.argsort(rows.start, kind="stable")
    ends = np.maximum.accumulate(rows.stop[ordered]) + 1
    first = 0
    while first < len(rows):
        limit = int(np.searchsorted(ends, rows.start[ordered[first]] + BLOCK, side="right"))
        last = max(limit, first + 1)
        while last < len(rows) and rows.start[ordered[last]] < ends[last - 1]:
            last += 1  # rows that share a stretch stay together
        some, begin = ordered[first:last], int(rows.start[ordered[first]])
        stretch = rows.items[begin : int(ends[last - 1])]
        result[some] = _repeated(Rows(stretch, rows.start[some] - begin, rows.stop[some] - begin, rows.users[some]))
        first = last
    return result


def _repeated(rows: Rows) -> NDArray[np.bool_]:  # [R]
    order = np.argsort(rows.items, kind="stable")
    same = rows.items[order[1:]] == rows.items[order[:-1]]
    before = np.full(len(rows.items), -1)  # [E] the latest earlier event of the same item
    before[order[1:][same]] = order[:-1][same]
    return before[rows.stop] >= rows.start


def validation_share(profile: Mapping[str, Any], validation: Path) -> float:
    """Share of repeated validation targets, of the rows at ``validation`` where an older profile does not state it."""
    if PROFILED in profile:
        return float(profile[PROFILED]["validation"] / max(1, profile["rows"]["validation"]))
    found = repeated(Rows.load(validation))
    return float(found.sum()) / max(1, len(found))


def hides_seen(setting: str, share: float) -> bool:
    """Whether items of a history are left out: as set, or by the ``share`` of repeated validation targets."""
    return share <= MOST if setting == AUTO else setting == HIDE


def protocol_of(run: Run, setting: str = AUTO) -> bool:
    """``hides_seen`` for the data of a run, which logs what ``auto`` chose where targets are repeated."""
    profile = json.loads(run.input(PROFILE).read_text(encoding="utf-8"))
    share = validation_share(profile, run.input(VALIDATION))
    hidden = hides_seen(setting, share)
    if setting == AUTO and share:
        run.log(
            "info",
            f"{share:.2%} of the validation targets repeat an item of their history: "
            f"seen items are {'hidden' if hidden else 'ranked too'}",
        )
    return hidden
