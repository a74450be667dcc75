"""Copies runs to a dashboard's format, from where the copy stands to what the run has reported by now."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import RunError
from engine.jobs.store import Entry, Store
from engine.mirror.mirrored_run import Mirror, MirroredRun, RunEnd, results
from engine.mirror.points import Point, Translator, settled
from engine.runs.reader import Tail
from engine.runs.schema import EVENTS

TENSORBOARD, MLFLOW, WANDB = "tensorboard", "mlflow", "wandb"
TARGETS = (TENSORBOARD, MLFLOW, WANDB)
Opener = Callable[[MirroredRun], Mirror]


def opener(target: str, to: str) -> Opener:
    """What opens the copy of a run. UserError where the target's package is not installed."""
    if target == TENSORBOARD:
        from engine.mirror.tensorboard_target import TensorBoardMirror

        return lambda run: TensorBoardMirror(Path(to), run)
    if target == MLFLOW:
        from engine.mirror.mlflow_target import MlflowStore

        return MlflowStore(to).open
    from engine.mirror.wandb_target import WandbMirror

    return lambda run: WandbMirror(Path(to), run)


class Copy:
    """One run and its copy. ``advance`` brings the copy up to date."""

    def __init__(self, store: Store, entry: Entry, open_mirror: Opener) -> None:
        self._store, self._folder = store, entry.folder
        self._mirror = open_mirror(MirroredRun.of(entry))
        self._tail, self._translator = Tail(entry.folder / EVENTS), Translator()
        self._points: list[Point] = []  # read, and not yet written
        self._read = self._mirror.position  # sequence number of the last event that was read
        self._wrote = time.monotonic() - self._mirror.every
        self.living = True

    def advance(self) -> int:
        """Copy what is new; returns the number of points. RunError where the target refuses: nothing is lost."""
        entry = self._store.entry(self._folder)  # before reading: what a run at its end reports is then read
        self._collect()
        end = None if entry.state.living else _end_of(entry)
        new = self._read > self._mirror.position or (end is not None and end.name != self._mirror.ended)
        points = settled(self._points)
        if new and (end is not None or time.monotonic() - self._wrote >= self._mirror.every):
            self._mirror.write(points, self._read, end)
            self._points, self._wrote = [], time.monotonic()
        self.living = end is None
        return len(points)

    def _collect(self) -> None:
        while True:
            for event in self._tail.read():
                points = self._translator.feed(event)
                if event["q"] > self._read:
                    self._read = event["q"]
                    self._points += points
            if not self._tail.behind:
                break


def _end_of(entry: Entry) -> RunEnd:
    attempt = entry.end.attempt if entry.end else entry.summary.attempt if entry.summary else 0
    when = entry.end.t if entry.end else entry.summary.hb if entry.summary else entry.info.created
    return RunEnd(entry.state, attempt, results(entry), when)


def copy_once(store: Store, entries: Sequence[Entry], open_mirror: Opener, report: Callable[[str, int], None]) -> None:
    """Copies the runs as they are now; ``report`` is given each id and its number of new points."""
    for entry in entries:
        report(entry.id, Copy(store, entry, open_mirror).advance())


def follow(
    store: Store,
    runs: Callable[[], Sequence[Entry]],
    open_mirror: Opener,
    complain: Callable[[str, RunError], None],
    forever: bool,
    pause: Callable[[], None] = lambda: time.sleep(2.0),
) -> None:
    """Keeps copies up to date until all runs have ended, or ``forever`` with runs that begin later.

    A target that refuses is tried again after each ``pause``, and ``complain`` is given its error once.
    """
    copies: dict[str, Copy] = {}
    broken: set[str] = set()
    while True:
        entries = [entry for entry in runs() if entry.id not in copies or copies[entry.id].living or entry.state.living]
        for entry in entries:
            try:
                if entry.id not in copies:
                    copies[entry.id] = Copy(store, entry, open_mirror)
                copies[entry.id].advance()
                broken.discard(entry.id)
            except RunError as error:
                if entry.id not in broken:
                    broken.add(entry.id)
                    complain(entry.id, error)
        if not forever and not broken and all(not copy.living for copy in copies.values()):
            return
        pause()
