"""Disk use of each run, measured a few milliseconds at a time.

A run that has ended is measured again only when its folder has changed.
"""

import os
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cockpit.services.folders import Folders

BLOCK = 512  # bytes of a block, whatever the file system's own are
AGAIN = 15.0  # seconds after which all runs are checked again


class Sizes:
    """Run -> bytes, kept up to date by ``poll``."""

    def __init__(self, root: Path | Folders) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        self.complete = False  # every run has been measured once
        self._stamps: dict[str, int] = {}  # run -> time of change of its folder when it was measured
        self._todo: deque[tuple[str, bool]] = deque()
        self._checked = -AGAIN

    def poll(self, runs: Iterable[tuple[str, bool]], budget: float) -> bool:
        """Measure for about ``budget`` seconds; returns whether any size changed. ``runs``: (run, whether at work)."""
        start = time.monotonic()
        changed = False
        if not self._todo and start - self._checked >= AGAIN:
            self._checked = start
            self._todo.extend(runs)
            gone = self.sizes.keys() - {run for run, _ in self._todo}
            for run in gone:
                del self.sizes[run]
            changed = bool(gone)
        while self._todo:
            changed |= self._measure(*self._todo.popleft())
            if not self._todo:
                self.complete = changed = True
            if time.monotonic() - start > budget:
                break
        return changed

    def _measure(self, run: str, working: bool) -> bool:
        folder = self.root / run
        try:
            stamp = os.stat(folder).st_mtime_ns
        except OSError:
            return self.sizes.pop(run, None) is not None
        if not working and self._stamps.get(run) == stamp:
            return False
        self._stamps[run] = stamp
        before = self.sizes.get(run)
        self.sizes[run] = disk_use(folder)
        return self.sizes[run] != before


def disk_use(folder: Path | str) -> int:
    """Bytes of the files below a folder. Links are not followed; files that cannot be read or vanish count nothing."""
    total = 0
    waiting: list[Path | str] = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * BLOCK
    return total
