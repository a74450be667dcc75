"""The processes of this machine, and which of them work on a run.

Without psutil or without permission a value is None. Read in a thread, every few seconds and only while the System
screen is open: a hundred processes cost ten milliseconds.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cockpit.models.processes import ProcessSample
from cockpit.services.folders import Folders
from engine.runs.schema import Process
from engine.runs.text import clean

ASKED = ("pid", "ppid", "name", "cmdline", "username", "cpu_times", "memory_info", "create_time")
COMMAND = 120  # characters of a command line that are kept


class ProcessSampler:
    """Reads all processes. Tests replace ``psutil``."""

    def __init__(self, psutil: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._psutil, self._clock = psutil, clock
        self._times: dict[tuple[int, float | None], float] = {}  # (pid, start) -> processor seconds
        self._at = 0.0

    def poll(self) -> tuple[ProcessSample, ...]:
        if self._psutil is None:
            try:
                self._psutil = importlib.import_module("psutil")
            except ImportError:
                return ()
        now = self._clock()
        elapsed, times = now - self._at, dict[tuple[int, float | None], float]()
        found = []
        for one in self._psutil.process_iter(ASKED):
            info = one.info
            key = (int(info["pid"]), info["create_time"])
            cpu = None
            if info["cpu_times"] is not None:
                times[key] = info["cpu_times"].user + info["cpu_times"].system
                if key in self._times and elapsed > 0:
                    cpu = max(0.0, times[key] - self._times[key]) / elapsed
            words = " ".join(info["cmdline"] or ()) or f"[{info['name'] or '?'}]"
            memory = None if info["memory_info"] is None else float(info["memory_info"].rss)
            user = clean(str(info["username"] or "?"), 20)
            found.append(
                ProcessSample(key[0], int(info["ppid"] or 0), clean(words, COMMAND), user, cpu, memory, key[1])
            )
        self._times, self._at = times, now
        return tuple(found)


def workers(root: Path | Folders, runs: Iterable[str]) -> dict[int, str]:
    """Processes of this machine that work on runs, from their process files: pid -> run. ``runs``: those at work."""
    found: dict[int, str] = {}
    for run in runs:
        try:
            worker = Process.read(root / run)
        except OSError:
            continue  # removed meanwhile, or not readable
        for identity in (worker.supervisor, worker.stage) if worker else ():
            if identity is not None and identity.alive:
                found[identity.pid] = run
    return found
