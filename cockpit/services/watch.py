"""Everything that is read while the cockpit is open, a few milliseconds at a time: the list of runs, the events,
consoles and settings of those that are shown, the machine.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from cockpit.models.endings import Ending, Endings
from cockpit.models.run_list import RunList
from cockpit.models.series import Series
from cockpit.services.folders import Folders
from cockpit.services.others import OtherFollower
from cockpit.services.scan import Scanner, read_config
from cockpit.services.scanners import Scanners
from cockpit.services.system import Machine
from cockpit.services.tail import Console, RunFollower

SLICE = 0.005  # seconds that one kind of reading may take before keys are handled again
FOLLOWED = 12  # runs whose events are kept in memory
CONSOLES = 6  # consoles that are kept
ARRANGE_EVERY = 0.2  # seconds between two sorts of the list while it changes
FIRST_ARRANGE_EVERY = 0.6  # the same while it is read for the first time
RARELY = 10  # times what a sort takes: the pause before the next while a long list is read
AGES_EVERY = 10.0  # the same while nothing changes but the ages of runs
CONSOLE_EVERY = 0.5  # seconds between two reads of a console: a scrolling log costs the most bytes
T = TypeVar("T")


class RunWatcher:
    """``poll`` reads what is due; ``follow`` and ``console`` return what was read of one run."""

    def __init__(self, folders: Folders, clock: Callable[[], float], runs: RunList) -> None:
        self.folders, self.clock, self.runs = folders, clock, runs
        self.scanner = Scanners(folders, clock) if folders.several else Scanner(folders.main, clock)
        runs.rows = self.scanner.rows
        self.followers: dict[str, RunFollower | OtherFollower] = {}
        self.consoles: dict[str, Console] = {}
        self.machine = Machine()
        self.use: dict[str, Series] = {}  # share of each device over time, in percent
        self.warnings: list[tuple[str, str]] = []  # (run, new problem), to be shown and cleared
        self.endings: list[Ending] = []  # ends of runs and experiments, to be shown and cleared
        self._endings = Endings()
        self._warned: dict[str, str] = {}
        self._console_read = 0.0
        self._arranged = -AGES_EVERY
        self._unarranged = True
        self._cost = 0.0  # seconds of the last sort

    def poll(self, watched: Sequence[str], consoles: Sequence[str] = ()) -> bool:
        """Read for a few milliseconds; returns whether there is anything new to draw.

        ``watched``: runs whose events are shown, the most important first; ``consoles``: runs whose consoles are.
        """
        now, reading = self.clock(), not self.scanner.complete
        self._unarranged |= self.scanner.poll(SLICE)
        self._unarranged |= self._read_configs(watched)
        changed = False
        since = time.monotonic() - self._arranged
        whole = reading and self.scanner.complete
        pause = 0.0 if whole else max(FIRST_ARRANGE_EVERY, RARELY * self._cost) if reading else ARRANGE_EVERY
        if since > AGES_EVERY or (self._unarranged and since > pause):
            self._arranged, self._unarranged, changed = time.monotonic(), False, True
            begin = time.perf_counter()
            self.runs.arrange(now)
            self._cost = time.perf_counter() - begin
            self.runs.placed |= self.scanner.complete
            self.warnings += self._problems()
            self.endings += self._endings.of(self.runs.rows, now)
        for run in reversed(watched[:FOLLOWED]):
            changed |= self.follow(run).poll(SLICE)
        if consoles and now - self._console_read >= CONSOLE_EVERY:
            self._console_read = now
            for run in consoles[:CONSOLES]:
                changed |= self.console(run).poll(SLICE / len(consoles[:CONSOLES]))
        return changed

    def behind(self, watched: Sequence[str]) -> bool:
        """Whether more could be read at once."""
        loading = any(self.follow(run).loading for run in watched[:1])
        return not self.scanner.complete or loading

    def follow(self, run: str) -> RunFollower | OtherFollower:
        """The events of a run; only the latest ``FOLLOWED`` runs are kept."""
        kind = OtherFollower if run in self.folders.others else RunFollower
        return _latest(self.followers, run, FOLLOWED, lambda: kind(self.folders / run))

    def console(self, run: str) -> Console:
        """The end of a run's console."""
        return _latest(self.consoles, run, CONSOLES, lambda: Console(self.folders / run))

    def _read_configs(self, watched: Sequence[str]) -> bool:
        """Read the settings that the screens or the filter need, some at a time."""
        wanted = [run for run in watched if run in self.runs.rows]
        wanted += [best.id for run in wanted if (best := self.runs.best.get(self.runs.rows[run].peers))]
        if self.runs.needs_config:
            wanted += list(self.runs.rows)
        start, changed = time.perf_counter(), False
        for run in wanted:
            row = self.runs.rows.get(run)
            if row is not None and row.config is None:
                row.config, changed = read_config(self.folders / run), True
                if time.perf_counter() - start > SLICE:
                    break
        return changed

    def _problems(self) -> list[tuple[str, str]]:
        """(run, problem) for every run at work with a new problem since the last call."""
        problems: list[tuple[str, str]] = []
        for row in self.runs.rows.values():
            level = row.level if row.open else ""
            before = self._warned.get(row.id)
            self._warned[row.id] = level
            if before is None or level == before or level in ("", "info"):
                continue
            notes = [f"{code}: {n.get('hint', '')}" for code, n in row.health.items() if n.get("level") == level]
            problems.append((row.id, f"{row.stage} {row.name}: {notes[0]}"))
        return problems

    def record_machine(self, machine: Machine) -> None:
        """Keep a reading of the machine, and the load of its devices over time."""
        self.machine = machine
        shares = {"cpu": machine.cpu} | {f"gpu{i}": gpu.busy for i, gpu in enumerate(machine.gpus)}
        for name, share in shares.items():
            if share is not None:
                series = self.use.setdefault(name, Series())
                series.append(series.count, share * 100, machine.time)


def _latest(kept: dict[str, T], run: str, most: int, make: Callable[[], T]) -> T:
    """The value of a run, which becomes the latest; the oldest above ``most`` are dropped."""
    value = kept[run] = kept.pop(run, None) or make()
    while len(kept) > most:
        del kept[next(iter(kept))]
    return value
