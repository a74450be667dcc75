"""The files of a run folder and the records in them, each declared once. Each file has exactly one writer.

``<runs>/<id>/`` with id = ``<stage>-<UTC yyyymmdd-hhmmss>-<4 hex>``. The events have a table of their own (events.py).
"""

import functools
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.errors import RunError
from engine.runs.events import number
from engine.runs.files import discard, hold, read_json, refused, write_json
from engine.runs.identity import Identity, host

VERSION = 1

RUN = "run.json"  # planner, once
CONFIG = "config.yaml"  # planner, once
PROCESS = "process.json"  # supervisor: which processes work on the run
EXIT = "exit.json"  # supervisor: how the latest attempt ended; exit-<attempt>.json of earlier ones
EVENTS = "events.jsonl"  # the stage
DEVICES = "devices.jsonl"  # supervisor: events about what the stage's processes use of the machine
SUMMARY = "summary.json"  # the stage, at most once a second
CONSOLE = "console.log"  # supervisor: stdout and stderr of the stage
META = "meta.json"  # people
LOCK = "lock"  # locked while any process of the run lives
ARTIFACTS = "artifacts"  # the stage
CHECKPOINTS = "checkpoints"  # the stage
CONTROL = "control"  # people: requests to the stage
STOP = "stop"  # control/: stop as soon as possible
STOP_AFTER_EVALUATION = "stop-after-evaluation"  # control/
QUEUE_OVERRIDE = "queue.json"  # control/: position in the queue and pause, where a person changed them

SLOTS = ".slots"  # <runs>/.slots/<host>/<device>/: a lock for each slot, and the queue for them (jobs/queue.py)
PLANNING = ".lock"  # <runs>/.lock: locked by the process that plans runs


def new_id(stage: str, now: float | None = None) -> str:
    """A run's name: stage, UTC second, and four hexadecimal digits that distinguish runs of one second."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stage}-{stamp}-{secrets.token_hex(2)}"


class Record:
    """Base of a dataclass that is kept as the JSON file ``FILE`` of a run folder."""

    FILE: ClassVar[str]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record; None where it is missing or damaged. Fields of a later version are ignored."""
        return from_json(cls, read_json(folder / cls.FILE))

    def write(self, folder: Path, *, sync: bool = True) -> None:
        write_json(folder / self.FILE, asdict(self), sync=sync)  # type: ignore[call-overload]  # every subclass is one


@dataclass(frozen=True)
class Slots:
    """How many runs may work at a time on a device."""

    device: str
    count: int


@dataclass(frozen=True)
class RunInfo(Record):
    """What was requested. ``argv`` is the command that a person typed in ``cwd``; ``inputs`` {stage: run id}.

    Runs that settings name by their ids are inputs too, under names that are no stages.
    """

    FILE = RUN

    id: str
    stage: str
    experiment: str
    seed: int
    fingerprint: str
    inputs: dict[str, str] = field(default_factory=dict)
    argv: list[str] = field(default_factory=list)
    git: dict[str, Any] = field(default_factory=dict)  # sha, dirty
    environment: dict[str, Any] = field(default_factory=dict)  # python, packages {name: version}
    host: str = field(default_factory=host)
    created: float = field(default_factory=time.time)  # unix seconds
    cwd: str = field(default_factory=os.getcwd)
    slots: Slots | None = None  # None: no limit
    grace: float = 30.0  # seconds between asking the stage to stop and killing it
    sbatch: list[str] | None = None  # options of the Slurm job that works on it; None: it works on this machine
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The run at ``folder``; RunError when there is none or its record is damaged."""
        record = read_json(folder / RUN)
        info = from_json(cls, record)
        if info is not None:
            return info
        if record is None and not (folder / RUN).exists():
            raise RunError("is not a run", location=str(folder), remedy="See all runs with: engine runs")
        raise RunError(
            "the run's record cannot be read" if record is None else "the run's record lacks a field",
            location=str(folder / RUN),
            remedy=f"Remove the folder {folder} and run it again.",
        )


@dataclass(frozen=True)
class Process(Record):
    """Who works on the latest attempt. ``phase`` is waiting, queued or running."""

    FILE = PROCESS

    attempt: int
    supervisor: Identity
    phase: str
    t: float  # when the phase began
    stage: Identity | None = None
    argv: list[str] = field(default_factory=list)
    v: int = VERSION


@dataclass(frozen=True)
class Exit(Record):
    """How an attempt ended. ``by``: self, user, inputs (one was not DONE) or supervisor (it did not start)."""

    FILE = EXIT

    attempt: int
    code: int | None  # exit status; None when a signal ended it or it never started
    signal: int | None
    by: str
    reason: str
    wall: float  # seconds from the start of the stage
    max_rss: int  # bytes, the largest process
    oom: bool  # the kernel killed a process of this run's memory group meanwhile
    t: float
    v: int = VERSION


@dataclass
class Summary(Record):
    """The latest values of the latest attempt, as the stage reports them."""

    FILE = SUMMARY

    attempt: int
    process: Identity
    started: float
    hb: float  # heartbeat: unix seconds of the latest report
    phase: str = ""
    step: int = 0
    total: int = 0
    unit: str = "steps"
    epoch: float | None = None
    rate: float | None = None  # units a second
    eta: float | None = None  # seconds
    best: dict[str, dict[str, float]] = field(default_factory=dict)  # metric -> {v, step}, by the stage table's goal
    kept: dict[str, float] = field(default_factory=dict)  # metrics of the evaluation whose weights are kept
    kept_step: int = 0
    last: dict[str, float] = field(default_factory=dict)
    health: dict[str, dict[str, Any]] = field(default_factory=dict)  # code -> {level, hint, groups, step, count}
    facts: dict[str, Any] = field(default_factory=dict)
    ended: str = ""  # done, stopped, failed; empty while it works
    error: str = ""
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        summary = super().read(folder)
        if summary:
            for values in (summary.last, summary.kept):
                known = {name: value for name, item in values.items() if (value := number(item)) is not None}
                values.clear()
                values.update(known)
            summary.best = {
                name: {"v": value, "step": best["step"]}
                for name, best in summary.best.items()
                if isinstance(best, dict) and (value := number(best.get("v"))) is not None and "step" in best
            }
        return summary


@dataclass
class Meta(Record):
    """What people noted about a run."""

    FILE = META

    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False
    archived: bool = False
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self:
        return super().read(folder) or cls()


@dataclass(frozen=True)
class QueueOverride(Record):
    """A person's changes to a waiting run; ``place`` in the file is ``position``, which replaces its joining time."""

    FILE = f"{CONTROL}/{QUEUE_OVERRIDE}"

    position: float | None = None  # unix seconds; the least is first
    paused: bool = False
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self:
        record = read_json(folder / cls.FILE) or {}
        return from_json(cls, record | {"position": record.get("place")}) or cls()

    def write(self, folder: Path, *, sync: bool = True) -> None:
        try:
            (folder / CONTROL).mkdir(exist_ok=True)
        except OSError as error:
            raise refused(error, folder / CONTROL) from error
        write_json(folder / self.FILE, {"place": self.position, "paused": self.paused, "v": self.v}, sync=sync)


_Kind = TypeVar("_Kind")


def from_json(kind: type[_Kind], values: object) -> _Kind | None:
    """``values`` as the dataclass ``kind``, nested ones included; None when a field is missing or of another type."""
    if not isinstance(values, dict):
        return None
    known: dict[str, Any] = {}
    for name, types in _types(kind).items():  # type: ignore[arg-type]  # a class is hashable
        if name in values:
            value = values[name]
            if isinstance(value, str) and float in types:
                value = number(value)
            elif isinstance(value, dict) and is_dataclass(types[0]):
                value = from_json(types[0], value)
            if not isinstance(value, types):
                return None
            known[name] = value
    try:
        return kind(**known)
    except TypeError:
        return None


@functools.cache
def _types(kind: Any) -> dict[str, tuple[type, ...]]:
    """The classes that each field of a record may have: ``float | None`` allows int, float and None."""

    def classes(hint: Any) -> Iterator[type]:
        if get_origin(hint) in (Union, UnionType):
            for part in get_args(hint):
                yield from classes(part)
        elif get_origin(hint) is not ClassVar:
            yield get_origin(hint) or hint
            if hint is float:
                yield int

    return {name: found for name, hint in get_type_hints(kind).items() if (found := tuple(classes(hint)))}


# -- attempts ----------------------------------------------------------------------------------------------------


def next_attempt(folder: Path) -> int:
    """The number of the attempt that begins now, from 1."""
    records = (Process.read(folder), Summary.read(folder))
    return 1 + max(record.attempt if record else 0 for record in records)


def begin_attempt(folder: Path, attempt: int) -> None:
    """Set the end of the previous attempt aside and remove requests made of it. The run's lock must be held."""
    old = Exit.read(folder)
    if old:
        (folder / EXIT).replace(folder / f"exit-{old.attempt}.json")
    if attempt > 1:
        discard(folder / CONTROL)


def occupied(folder: Path) -> RunError:
    """The error of starting a run that is already at work."""
    return RunError(
        "a process is at work on this run already",
        location=str(folder),
        remedy=f"Watch it with: engine logs -f {folder.name}; end it with: engine stop {folder.name}",
    )


def take_lock(folder: Path, patience: float) -> int:
    """The run's lock, waiting ``patience`` seconds for it; RunError when another process keeps it."""
    deadline = time.monotonic() + patience
    while (lock := hold(folder / LOCK)) is None:
        if time.monotonic() > deadline:
            raise occupied(folder)
        time.sleep(0.05)
    return lock
