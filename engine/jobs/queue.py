"""The queue for slots: one for each device of a machine, first come first served unless a person changes the order.

``<runs>/.slots/<host>/<device>/slot-<n>`` is locked by the run that works on the slot, ``line/<run id>`` by a run from
its request until it works. The kernel releases both locks when their process ends for whatever reason: an entry that
nobody locks does not count and is removed by the next run that reads the queue. Machines that share the folder have
slots and queues of their own. People write only ``control/queue.json`` of a run (``QueueOverride``), so every file has
one writer and any machine can be instructed from any other.
"""

import json
import math
import os
import time
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

ENTRIES = "line"  # folder of a queue's entries
SLOT = "slot-"  # locks of a device
MOVES = ("first", "sooner", "later", "last")
TICK = 0.001  # seconds until an entry that another process is examining can be locked


@dataclass(frozen=True)
class Waiting:
    """A run in a queue. ``count``: how many of the device's slots it may choose from."""

    run: str
    host: str
    device: str
    count: int
    joined: float  # unix seconds
    override: QueueOverride

    @property
    def order(self) -> tuple[float, float, str]:
        """Sort key: the least is served first."""
        return (self.joined if self.override.position is None else self.override.position, self.joined, self.run)

    @property
    def paused(self) -> bool:
        return self.override.paused


@dataclass(frozen=True)
class SlotUse:
    """A slot and the run that works on it; ``run`` is empty while the slot is free."""

    host: str
    device: str
    slot: int
    run: str


class QueueEntry:
    """A run's own entry in its queue, locked by the process that made it until ``leave``."""

    def __init__(self, runs: Path, run: str, slots: Slots) -> None:
        self.runs, self.run, self.count = runs, run, max(slots.count, 1)
        self._folder = runs / schema.SLOTS / host().replace("/", "-") / slots.device.replace("/", "-")
        self._path = self._folder / ENTRIES / run
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
            if handle is not None:  # another process was removing an abandoned entry
                os.close(handle)
            time.sleep(TICK)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"came": time.time(), "count": self.count}).encode(), 0)
        return handle

    def take(self) -> int | None:
        """A descriptor that locks a free slot, when no run before this one can use it; else None."""
        if QueueOverride.read(self.runs / self.run).paused:
            return None
        for slot in range(self.count):
            handle = hold(self._folder / f"{SLOT}{slot}")
            if handle is None:
                continue
            if self._is_next(slot):
                os.ftruncate(handle, 0)
                os.pwrite(handle, self.run.encode(), 0)
                return handle
            os.close(handle)
        return None

    def _is_next(self, slot: int) -> bool:
        """Whether no run before this one could use ``slot`` now."""
        for other in _entries(self._folder, sweep=True):
            if other.run == self.run:
                break
            if other.count > slot and _could_start(self.runs, other):
                return False
        return True

    def line(self) -> list[str]:
        """Ids of the runs that wait for this device and are not paused, in order."""
        return [waiting.run for waiting in _entries(self._folder) if not waiting.paused]

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def snapshot(runs: Path) -> tuple[list[SlotUse], list[Waiting]]:
    """Every slot that was ever used and every waiting run, each queue in order. Changes nothing."""
    uses: list[SlotUse] = []
    waiting: list[Waiting] = []
    for folder in sorted((runs / schema.SLOTS).glob("*/*/")):
        machine, device = clean(folder.parent.name), clean(folder.name)
        for path in folder.glob(f"{SLOT}*"):
            name = path.name.removeprefix(SLOT)
            if name.isdecimal():
                run = clean(path.read_text(errors="replace"), 200) if held(path) else ""
                uses.append(SlotUse(machine, device, int(name), run))
        waiting += _entries(folder)
    return sorted(uses, key=lambda use: (use.host, use.device, use.slot)), waiting


def move(runs: Path, run: str, to: str) -> None:
    """Move a run within its queue: ``first``, ``sooner`` (before its neighbour), ``later`` or ``last``.

    The queue's positions stay and are dealt out anew. Two moves at once leave one order or the other, or two runs at
    one position: then the run that joined first goes first.
    """
    queue = _queue_of(runs, run)
    old = [waiting.run for waiting in queue].index(run)
    new = {"first": 0, "sooner": max(old - 1, 0), "later": min(old + 1, len(queue) - 1), "last": len(queue) - 1}[to]
    order = list(queue)
    order.insert(new, order.pop(old))
    position = -math.inf
    for waiting, (wanted, _, _) in zip(order, [waiting.order for waiting in queue], strict=True):
        position = max(wanted, math.nextafter(position, math.inf))
        if position != waiting.order[0]:
            replace(waiting.override, position=position).write(runs / waiting.run)


def pause(runs: Path, run: str, paused: bool) -> None:
    """Keep a waiting run from starting, or let it start again; the runs behind it pass it meanwhile."""
    waiting = next(waiting for waiting in _queue_of(runs, run) if waiting.run == run)
    replace(waiting.override, paused=paused).write(runs / run)


def _entries(folder: Path, sweep: bool = False) -> list[Waiting]:
    """The runs that wait for a device, in order. ``sweep``: remove entries that nobody locks.

    Locks of another machine cannot be examined here, so its entries count while their run has not begun.
    """
    runs, machine = folder.parent.parent.parent, folder.parent.name
    here = machine == host()
    found: list[Waiting] = []
    for path in (folder / ENTRIES).glob("*"):
        if here and not held(path):
            if sweep:
                _remove(path)
            continue
        if not here and not _has_not_begun(runs / path.name):
            continue
        entry = read_json(path) or {}  # empty for a moment after it was made
        joined, count = number(entry.get("came")), number(entry.get("count"))
        found.append(
            Waiting(
                clean(path.name, 200),
                clean(machine),
                clean(folder.name),
                int(count or 1),
                math.inf if joined is None else joined,
                QueueOverride.read(runs / path.name),
            )
        )
    return sorted(found, key=lambda waiting: waiting.order)


def _has_not_begun(folder: Path) -> bool:
    process = Process.read(folder)
    return process is not None and process.phase in (WAITING, QUEUED) and not (folder / schema.EXIT).exists()


def _remove(path: Path) -> None:
    """Remove an entry that nobody locks. A process that is making it anew notices that and makes another."""
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
    """Whether a run lacks nothing but a slot: its inputs are there and it is not paused.

    Decided from its inputs, not from its own phase: its supervisor notices an input a moment after it is there.
    """
    if waiting.paused:
        return False
    try:
        inputs = RunInfo.read(runs / waiting.run).inputs.values()
    except RunError:
        return False
    ends = (Exit.read(runs / run) for run in inputs)
    process = Process.read(runs / waiting.run)
    return (process is not None and process.phase == QUEUED) or all(end is not None and end.code == 0 for end in ends)


def _queue_of(runs: Path, run: str) -> list[Waiting]:
    """The queue that a run waits in; RunError when it waits in none."""
    for folder in (runs / schema.SLOTS).glob("*/*/"):
        queue = _entries(folder)
        if any(waiting.run == run for waiting in queue):
            return queue
    raise RunError(
        f"{run} does not wait for a slot", location=str(runs / run), remedy="See what waits with: engine queue"
    )
