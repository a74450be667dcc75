"""How long a process of another machine has been silent, whose clock need not agree with this one's.

A process that looks again and again goes by the moments at which it saw the records change, on its own monotonic
clock. A first look has the heartbeat, by the clock of its writer, and the time at which the file system changed the
record: times in the future compare with nothing, of the others the latest counts.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

_seen: dict[
    Path, tuple[tuple[tuple[float, float], ...], float, bool]
] = {}  # run -> its times, when they were new, not the first


def silence(folder: Path, beats: Mapping[str, float], now: float) -> float:
    """Seconds since the run at ``folder`` was last heard of, never negative.

    ``beats``: file -> unix seconds that its writer recorded in it; ``now``: those of this machine.
    """
    times = tuple((beat, changed_at(folder / file)) for file, beat in beats.items())
    here = time.monotonic()
    before = _seen.get(folder)
    if before is None or before[0] != times:
        _seen[folder] = before = (times, here, before is not None)
    _, since, was_seen_to_change = before
    waited = here - since
    return waited if was_seen_to_change else max(waited, min(age(now, *both) for both in times))


def age(now: float, *times: float) -> float:
    """Seconds since the latest of ``times`` that is not in the future; 0 where all are."""
    return min((now - at for at in times if at <= now), default=0.0)


def changed_at(path: Path) -> float:
    """When the file system changed the file last, in unix seconds; 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
