"""Runs of other programs: folders with TensorBoard's event files or Lightning's CSV logs, listed and followed.

Nothing says whether such a run is at work: only when it last wrote is known. Nothing is ever written there.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cockpit.models.devices import Devices
from cockpit.models.rows import OTHER, Row
from cockpit.models.run_data import RunData
from cockpit.services.other_formats import CSV, EVENTS, SETTINGS, EventFile, csv_events
from engine.report import numbers
from engine.report.settings import flat
from engine.runs.text import clean, clean_values

LIST_EVERY = 5.0  # seconds between two walks through a folder
DEEPEST = 6  # folders below the given one
MOST = 5000  # folders that are looked into
PIECE = 24 << 10  # bytes read at a time
CSV_EVERY = 2.0  # seconds between two readings of a CSV log, which is read whole
TENSORBOARD, LIGHTNING = "tensorboard", "csv"


def logs(root: Path) -> Iterator[tuple[Path, str, float, float]]:
    """Folder, format, time of the first and of the last write of every log below ``root``."""
    looked = 0
    for folder, names, files in os.walk(root):
        looked += 1
        deep = len(Path(folder).relative_to(root).parts)
        names[:] = sorted(name for name in names if not name.startswith(".")) if deep < DEEPEST else []
        found = [name for name in files if name.startswith(EVENTS.removesuffix("*"))]
        kind = TENSORBOARD if found else LIGHTNING
        times = []
        for name in found or [name for name in files if name == CSV]:
            try:
                facts = os.stat(os.path.join(folder, name))
            except OSError:
                continue  # it was removed meanwhile
            times.append((min(facts.st_mtime, facts.st_ctime), facts.st_mtime))
        if times:
            yield Path(folder), kind, min(first for first, _ in times), max(last for _, last in times)
        if looked >= MOST:
            return


class OtherScanner:
    """Rows of the logs below a folder, as ``Scanner`` has them of runs. ``folders``: where each lies."""

    def __init__(self, name: str, root: Path, clock: Callable[[], float] = time.time) -> None:
        self.name, self.root, self._clock = name, root, clock
        self.rows: dict[str, Row] = {}
        self.folders: dict[str, Path] = {}
        self.trouble, self.complete = "", False
        self._listed = -LIST_EVERY

    def poll(self, budget: float) -> bool:
        """Walk through the folder when it is time; returns whether any row changed."""
        if time.perf_counter() - self._listed < LIST_EVERY:
            return False
        self.trouble = "" if self.root.is_dir() else f"{self.root} is not there"
        before, self.rows = self.rows, {}
        for folder, kind, first, last in logs(self.root):
            row = self._row(folder, kind, first, last)
            known = before.get(row.id)
            row.config = known.config if known and known.config is not None else settings(folder)
            self.rows[row.id], self.folders[row.id] = row, folder
        self.complete, self._listed = True, time.perf_counter()
        return before != self.rows

    def _row(self, folder: Path, kind: str, first: float, last: float) -> Row:
        path = clean(folder.relative_to(self.root).as_posix(), 200)
        name = self.name if path == "." else f"{self.name}/{path}"
        age = numbers.age(self._clock() - last)
        reason = f"last written {age} ago; whether it runs is not known"
        return Row(name, kind, experiment=self.name, state=OTHER, reason=reason, created=first)

    def again(self, run: str) -> None:
        """Nothing changes such a run from here."""

    def list_again(self) -> None:
        self._listed = -LIST_EVERY


def settings(folder: Path) -> dict[str, Any]:
    """Lightning's ``hparams.yaml`` beside a log, and the folder, which tells runs apart."""
    import yaml

    try:
        loaded = yaml.load((folder / SETTINGS).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        loaded = None
    return {"folder": str(folder), **(flat(clean_values(loaded)) if isinstance(loaded, dict) else {})}


class OtherFollower:
    """The numbers of one log, as ``RunFollower`` has them of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.devices, self.version, self.loading = folder, RunData(), Devices(), 0, False
        self._files: dict[str, EventFile] = {}
        self._csv: tuple[float, tuple[int, int] | None] = (-CSV_EVERY, None)  # when it was read, and its stat

    def poll(self, budget: float) -> bool:
        """Read for about ``budget`` seconds; returns whether there is anything new."""
        start, changed = time.perf_counter(), False
        try:
            for path in sorted(self.folder.glob(EVENTS)):
                file = self._files.setdefault(path.name, EventFile(path, PIECE))
                while True:
                    events = file.read()
                    for event in events:
                        self.data.feed(event)
                    changed |= bool(events)
                    if not file.behind or time.perf_counter() - start > budget:
                        break
            if not self._files:
                changed |= self._read_csv(start)
        except OSError:
            pass  # unreadable for now: what was read is kept
        self.loading = any(file.behind for file in self._files.values())
        self.version += changed
        return changed

    def _read_csv(self, now: float) -> bool:
        facts = os.stat(self.folder / CSV)
        at, before = self._csv
        stamp = facts.st_mtime_ns, facts.st_size
        if stamp == before or now - at < CSV_EVERY:
            return False
        self._csv, self.data = (now, stamp), RunData()
        for event in csv_events(self.folder / CSV, facts.st_mtime):
            self.data.feed(event)
        return True
