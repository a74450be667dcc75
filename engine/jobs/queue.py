"""Who gets a free slot next: a line for each device of a machine, in the order of coming unless a person changes it.

``<runs>/.slots/<host>/<device>/slot-<n>`` is locked by the run that works on it, ``line/<run id>`` is a ticket that a
run locks from the moment it is asked for until it works. The kernel unlocks both when their process is gone, however
it died: a ticket that nobody holds does not count, and the next run that looks removes it. Machines that share the
folder have slots and lines of their own. What a person wants is ``control/queue.json`` of the run (``Turn``), so any
machine can be told from any other, and no file has two writers.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import RunError
from engine.jobs.state import QUEUED, WAITING
from engine.runs import schema
from engine.runs.events import number
from engine.runs.files import held, hold, read_json, refused
from engine.runs.identity import host
from engine.runs.schema import Exit, Process, QueueOverride, RunInfo, Slots
from engine.runs.text import clean

LINE = "line"  # folder of tickets
SLOT = "slot-"  # locks of a device
MOVES = ("first", "sooner", "later", "last")
TICK = 0.001  # seconds until a ticket that somebody is looking at can be locked


@dataclass(frozen=True)
class Waiting:
    """A run in a line. ``count`` is how many of the device's slots it may choose from."""

    run: str
    host: str
    device: str
    count: int
    came: float  # unix seconds
    turn: QueueOverride

    @property
    def key(self) -> tuple[float, float, str]:
        """The least is first."""
        return (self.came if self.turn.place is None else self.turn.place, self.came, self.run)


@dataclass(frozen=True)
class Use:
    """A slot and the run that works on it; ``run`` is empty while it is free."""

    host: str
    device: str
    slot: int
    run: str


class QueueEntry:
    """A run's own place in its line, held by the process that made it; ``leave`` when the run works or ended."""

    def __init__(self, runs: Path, run: str, slots: Slots) -> None:
        self.runs, self.run, self.count = runs, run, max(slots.count, 1)
        self._place = _place(runs, host(), slots.device)
        self._path = self._place / LINE / run
        self._handle = self._join()

    def _join(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, self._path) from error
        while True:
            handle = hold(self._path)
            if handle is not None and _is_at(handle, self._path):
                break
            if handle is not None:  # somebody was removing an old one just then
                os.close(handle)
            time.sleep(TICK)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"came": time.time(), "count": self.count}).encode(), 0)
        return handle

    def take(self) -> int | None:
        """A descriptor that holds a free slot, when it is this run's turn."""
        if QueueOverride.read(self.runs / self.run).paused:
            return None
        for slot in range(self.count):
            path = self._place / f"{SLOT}{slot}"
            handle = hold(path)
            if handle is None:
                continue
            if self._is_next(slot):
                os.ftruncate(handle, 0)
                os.pwrite(handle, self.run.encode(), 0)
                return handle
            os.close(handle)
        return None

    def _is_next(self, slot: int) -> bool:
        """Whether nobody who could use ``slot`` now stands before this run."""
        for other in _line(self._place, sweep=True):
            if other.run == self.run:
                break
            if other.count > slot and _could_start(self.runs, other):
                return False
        return True

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def look(runs: Path) -> tuple[list[Use], list[Waiting]]:
    """Every slot that was ever used and everybody in line, the next one of each device first. Changes nothing."""
    uses: list[Use] = []
    line: list[Waiting] = []
    for place in sorted((runs / schema.SLOTS).glob("*/*/")):
        machine, device = clean(place.parent.name), clean(place.name)
        for path in place.glob(f"{SLOT}*"):
            name = path.name.removeprefix(SLOT)
            if name.isdecimal():
                run = clean(path.read_text(errors="replace"), 200) if held(path) else ""
                uses.append(Use(machine, device, int(name), run))
        line += _line(place)
    return sorted(uses, key=lambda use: (use.host, use.device, use.slot)), line


def move(runs: Path, run: str, to: str) -> None:
    """Change a run's turn: ``first``, ``sooner`` (before its neighbour), ``later`` or ``last``.

    The places of a line stay, who has which changes. Two people who move at once get one order or the other, or two
    runs with one place: then who came first goes first.
    """
    line = _line_of(runs, run)
    names = [waiting.run for waiting in line]
    old = names.index(run)
    new = {"first": 0, "sooner": max(old - 1, 0), "later": min(old + 1, len(line) - 1), "last": len(line) - 1}[to]
    order = list(line)
    order.insert(new, order.pop(old))
    place = -math.inf
    for waiting, (wanted, _, _) in zip(order, [waiting.key for waiting in line], strict=True):
        place = max(wanted, math.nextafter(place, math.inf))
        if place != waiting.key[0]:
            replace(waiting.turn, place=place).write(runs / waiting.run)


def pause(runs: Path, run: str, paused: bool) -> None:
    """Hold a run back that has not begun, or let it go on; the others pass it meanwhile."""
    waiting = next(waiting for waiting in _line_of(runs, run) if waiting.run == run)
    replace(waiting.turn, paused=paused).write(runs / run)


def why(waiting: Waiting, line: Sequence[Waiting], uses: Sequence[Use]) -> str:
    """What a run that is ready waits for, in a line."""
    if waiting.turn.paused:
        return f"paused; go on with: engine queue unpause {waiting.run}"
    before = sum(
        (other.host, other.device) == (waiting.host, waiting.device)
        and other.key < waiting.key
        and not other.turn.paused
        for other in line
    )
    places = f"{waiting.device} slot" if waiting.count == 1 else f"one of {waiting.count} {waiting.device} slots"
    if before:
        return f"for a {places}, {before} before it" if waiting.count == 1 else f"for {places}, {before} before it"
    holders = [
        use.run
        for use in uses
        if (use.host, use.device) == (waiting.host, waiting.device) and use.slot < waiting.count and use.run
    ]
    return f"next for the {places}, taken by {', '.join(holders)}" if holders else f"next for the {places}"


def _place(runs: Path, machine: str, device: str) -> Path:
    return runs / schema.SLOTS / machine.replace("/", "-") / device.replace("/", "-")


def _line(place: Path, sweep: bool = False) -> list[Waiting]:
    """Who stands in the line of a device, the next one first. ``sweep``: remove tickets that nobody holds.

    Whether a ticket of another machine is held cannot be told here, so it counts while the run has not begun.
    """
    runs, machine = place.parent.parent.parent, place.parent.name
    here = machine == host()
    line: list[Waiting] = []
    for path in (place / LINE).glob("*"):
        if here and not held(path):
            if sweep:
                _remove(path)
            continue
        if not here and not _has_not_begun(runs / path.name):
            continue
        ticket = read_json(path) or {}  # empty for a moment after it was made
        came, count = number(ticket.get("came")), number(ticket.get("count"))
        line.append(
            Waiting(
                clean(path.name, 200),
                clean(machine),
                clean(place.name),
                int(count or 1),
                math.inf if came is None else came,
                QueueOverride.read(runs / path.name),
            )
        )
    return sorted(line, key=lambda waiting: waiting.key)


def _has_not_begun(folder: Path) -> bool:
    process = Process.read(folder)
    return process is not None and process.phase in (WAITING, QUEUED) and not (folder / schema.EXIT).exists()


def _remove(path: Path) -> None:
    """Remove a ticket that nobody holds. Whoever is making it anew meanwhile sees that and makes another."""
    handle = hold(path)
    if handle is not None:
        path.unlink(missing_ok=True)
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Whether the file behind ``handle`` is still the one at ``path``."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def _could_start(runs: Path, waiting: Waiting) -> bool:
    """Whether nothing but a slot keeps a run from working: its inputs are there and nobody holds it back.

    Told from the inputs, not from the run's own phase: its supervisor notices an input a moment after it is there.
    """
    if waiting.turn.paused:
        return False
    try:
        inputs = RunInfo.read(runs / waiting.run).inputs.values()
    except RunError:
        return False
    ends = (Exit.read(runs / run) for run in inputs)
    process = Process.read(runs / waiting.run)
    return (process is not None and process.phase == QUEUED) or all(end is not None and end.code == 0 for end in ends)


def _line_of(runs: Path, run: str) -> list[Waiting]:
    """The line that a run stands in; RunError when it stands in none."""
    for place in (runs / schema.SLOTS).glob("*/*/"):
        line = _line(place)
        if any(waiting.run == run for waiting in line):
            return line
    raise RunError(
        f"{run} does not wait for a slot", location=str(runs / run), remedy="See what waits with: engine queue"
    )
