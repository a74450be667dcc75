"""Reading the folder of runs again and again, a few milliseconds at a time: the runs and their states.

A run that has ended is read once, and again only when ``stat`` shows a change; one at work is read every time.
"""

import os
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cockpit.models.rows import Row
from engine.errors import RunError
from engine.jobs.state import ended, status
from engine.report.settings import flat
from engine.runs import schema
from engine.runs.events import number
from engine.runs.schema import Exit, Meta, RunInfo, Summary
from engine.runs.text import clean, clean_values

LIST_EVERY = 3.0  # seconds between two listings of the folder
LIVE_EVERY = 1.0  # seconds after which a run at work is read again
DUE_EVERY = 0.5  # seconds between two checks of which runs are due
ENDED_EVERY = 3.0  # seconds after which a run that ended is checked for changes
ENDED_MORE = 1e-3  # seconds more for each run of the folder: ten thousand are checked every thirteen seconds
RUN_NAME = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}")

Signature = tuple[int, int] | None


class Scanner:
    """Rows by run id, kept up to date by ``poll``."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._clock = clock
        self.rows: dict[str, Row] = {}
        self.trouble = ""  # why the folder cannot be read
        self.complete = False  # every folder of the first list has been read
        self._seen: dict[str, tuple[Signature, float]] = {}  # id -> result of stat, time
        self._todo: deque[str] = deque()
        self._listed = -LIST_EVERY
        self._asked = -DUE_EVERY

    def poll(self, budget: float) -> bool:
        """Read for about ``budget`` seconds; returns whether any row changed."""
        start = time.perf_counter()
        changed = False
        if start - self._listed >= LIST_EVERY:
            self._listed = start
            changed = self._list()
        if not self._todo:
            self.complete = True
            if start - self._asked >= DUE_EVERY:
                self._asked = start
                self._todo.extend(self._due(start))
        while self._todo:
            changed |= self._visit(self._todo.popleft(), start)
            if time.perf_counter() - start > budget:
                break
        return changed

    def again(self, run: str) -> None:
        """Read a run at the next poll: it was just changed."""
        self._seen.pop(run, None)
        self._todo.appendleft(run)

    def list_again(self) -> None:
        """List the folder at the next poll: runs were just deleted."""
        self._listed = -LIST_EVERY

    def _list(self) -> bool:
        try:
            names = {entry.name for entry in os.scandir(self.root) if not entry.name.startswith(".")}
        except FileNotFoundError:
            names, self.trouble = set(), ""  # nothing has run yet
        except OSError as error:
            self.trouble = f"{self.root} cannot be read: {error.strerror}"
            return False
        else:
            self.trouble = ""
        gone = [run for run in self.rows if run not in names]
        for run in gone:
            del self.rows[run]
            self._seen.pop(run, None)
        # Newest first, by the time in their ids: these are at the top of the list.
        new = sorted(names - self._seen.keys(), key=lambda name: name.rpartition("-")[0][-15:], reverse=True)
        waiting = set(self._todo)
        self._todo.extendleft(reversed([name for name in new if name not in waiting]))
        return bool(gone)

    def _due(self, now: float) -> list[str]:
        quiet = ENDED_EVERY + ENDED_MORE * len(self._seen)
        return [
            run
            for run, (_, at) in self._seen.items()
            if now - at >= (LIVE_EVERY if run in self.rows and self.rows[run].open else quiet)
        ]

    def _visit(self, name: str, now: float) -> bool:
        signature = _signature(f"{self.root}/{name}")
        before = self._seen.get(name)
        row = self.rows.get(name)
        self._seen[name] = (signature, now)
        if before and before[0] == signature and (row is None or not row.open):
            return False
        fresh = read_row(self.root / name, self._clock())
        if fresh is None:
            return self.rows.pop(name, None) is not None
        if row:
            fresh.config = row.config  # written once, never changed
        if fresh == row:
            return False
        self.rows[name] = fresh
        return True


def _signature(folder: str) -> Signature:
    """``stat`` of a run's folder: its small files are replaced by renaming, which changes the folder's time."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def read_row(folder: Path, now: float) -> Row | None:
    """A run folder as a row with cleaned texts; None for a folder that is no run. ``now``: unix seconds."""
    name = clean(folder.name, 200)
    try:
        info = RunInfo.read(folder)
    except RunError as error:
        if not RUN_NAME.fullmatch(folder.name):
            return None
        return Row(name, name.partition("-")[0], state="LOST", reason=clean(error.cause))
    try:
        end = Exit.read(folder)
        condition = ended(end) if end else status(folder, info, now)
    except OSError as error:
        return Row(name, clean(info.stage), state="LOST", reason=f"cannot be read: {error.strerror}")
    summary, meta = Summary.read(folder), Meta.read(folder)
    row = Row(
        name,
        clean(info.stage, 40),
        experiment=clean(info.experiment, 200),
        seed=info.seed,
        state=condition.state.value,
        reason=clean(condition.reason).removeprefix(f"{name}: "),  # the cause; every line shows the id already
        created=info.created,
        inputs={clean(stage): clean(str(run)) for stage, run in info.inputs.items()},
        git=clean(str(info.git.get("sha") or "")),
        dirty=bool(info.git.get("dirty")),
        argv=[clean(str(part)) for part in info.argv],
        tags=[clean(str(tag), 60) for tag in meta.tags],
        note=clean(meta.note),
        pinned=meta.pinned,
        archived=meta.archived,
    )
    if end:
        row.wall = end.wall
    if row.live:
        control = folder / schema.CONTROL
        asked = (schema.STOP, schema.STOP_AFTER_EVALUATION)
        row.request = next((name for name in asked if (control / name).exists()), "")
    if summary:
        _add_summary(row, summary)
    return row


def _add_summary(row: Row, summary: Summary) -> None:
    row.started, row.attempt = summary.started, summary.attempt
    row.phase, row.unit = clean(summary.phase), clean(summary.unit)
    row.step, row.total, row.epoch = summary.step, summary.total, summary.epoch
    row.rate, row.eta = summary.rate, summary.eta
    row.last = {clean(k): v for k, value in summary.last.items() if (v := number(value)) is not None}
    for metric, best in summary.best.items():
        value = number(best.get("v")) if isinstance(best, dict) else None
        if value is not None:
            row.best[clean(metric)] = (value, number(best.get("step")) or 0.0)
    kept, step = summary.kept, float(summary.kept_step)
    noted = summary.facts.get("best")  # runs of versions whose summary did not have what was kept
    if not kept and isinstance(noted, dict):
        kept = {name: v for name, value in noted.items() if (v := number(value)) is not None}
        step = number(summary.facts.get("best_step")) or 0.0
    row.kept = {clean(metric): (value, step) for metric, value in kept.items()}
    health = clean_values(summary.health)
    row.health = {code: note for code, note in health.items() if isinstance(note, dict)}
    row.facts = clean_values(summary.facts)
    if row.wall is None and summary.ended:
        row.wall = max(summary.hb - summary.started, 0.0)


def read_config(folder: Path) -> dict[str, Any]:
    """A run's settings by dotted name; empty when its file cannot be read."""
    import yaml  # both 30 ms that only filters, differences and re-runs need

    from engine.config.renamed import translated

    try:
        loaded = yaml.load((folder / schema.CONFIG).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        return {}
    return flat(clean_values(translated(loaded))) if isinstance(loaded, dict) else {}
