"""The files of a run folder and the records in them, each declared once. Each file has exactly one writer.

``<runs>/<id>/`` with id = ``<stage>-<UTC yyyymmdd-hhmmss>-<4 hex>``. The events have a table of their own (events.py).
"""

import functools
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

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
SUMMARY = "summary.json"  # the stage, at most once a second
CONSOLE = "console.log"  # supervisor: stdout and stderr of the stage
META = "meta.json"  # people
LOCK = "lock"  # held while any process of the run lives
ARTIFACTS = "artifacts"  # the stage
CHECKPOINTS = "checkpoints"  # the stage
CONTROL = "control"  # people: a file in it asks the stage for something
STOP = "stop"  # control/: stop as soon as possible
STOP_AFTER_EVALUATION = "stop-after-evaluation"  # control/
QUEUE_OVERRIDE = "queue.json"  # control/: the run's turn in the queue, where a person changed it

SLOTS = ".slots"  # <runs>/.slots/<host>/<device>/: a lock a slot, and the queue for them (queue.py)
PLANNING = ".lock"  # <runs>/.lock: who holds it may plan


def new_id(stage: str, now: float | None = None) -> str:
    """A run's name: stage, UTC second, and four hexadecimal digits that tell runs of one second apart."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stage}-{stamp}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Slots:
    """How many runs may work at a time on a device."""

    device: str
    count: int


@dataclass(frozen=True)
class RunInfo:
    """``run.json``: what was asked for. ``argv`` is what a person typed, in ``cwd``; ``inputs`` {stage: run id}."""

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
        if record is None:
            there = (folder / RUN).exists()
            raise RunError(
                "the run's record cannot be read" if there else "is not a run",
                location=str(folder / RUN) if there else str(folder),
                remedy=f"Remove the folder {folder} and run it again." if there else "See all runs with: engine runs",
            )
        slots = record.get("slots")
        info = _record(cls, record | {"slots": _record(Slots, slots) if isinstance(slots, dict) else None})
        if info is None or not isinstance(info.inputs, dict):
            raise RunError(
                "the run's record lacks a field",
                location=str(folder / RUN),
                remedy=f"Remove the folder {folder} and run it again.",
            )
        return info

    def write(self, folder: Path) -> None:
        write_json(folder / RUN, asdict(self))


@dataclass(frozen=True)
class Process:
    """``process.json``: who works on the latest attempt. ``phase`` is waiting, queued or running."""

    attempt: int
    supervisor: Identity
    phase: str
    t: float  # when the phase began
    stage: Identity | None = None
    argv: list[str] = field(default_factory=list)
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        record = read_json(folder / PROCESS)
        if record is None:
            return None
        stage = record.get("stage")
        supervisor = _record(Identity, record.get("supervisor"))
        known = {"supervisor": supervisor, "stage": _record(Identity, stage) if stage else None}
        return _record(cls, record | known) if supervisor else None

    def write(self, folder: Path) -> None:
        write_json(folder / PROCESS, asdict(self))


@dataclass(frozen=True)
class Exit:
    """``exit.json``: how an attempt ended. ``by``: self, user, inputs (one was not DONE) or supervisor."""

    attempt: int
    code: int | None  # exit status; None when a signal ended it or it never started
    signal: int | None
    by: str
    reason: str
    wall: float  # seconds from the start of the stage
    max_rss: int  # bytes, the largest process
    oom: bool  # the kernel killed something of this run's memory group meanwhile
    t: float
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        record = read_json(folder / EXIT)
        return None if record is None else _record(cls, record)

    def write(self, folder: Path) -> None:
        write_json(folder / EXIT, asdict(self))


@dataclass
class Summary:
    """``summary.json``: where the latest attempt stands, as the stage itself says."""

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
    last: dict[str, float] = field(default_factory=dict)
    health: dict[str, dict[str, Any]] = field(default_factory=dict)  # code -> {level, hint, groups, step, count}
    facts: dict[str, Any] = field(default_factory=dict)
    ended: str = ""  # done, stopped, failed; empty while it works
    error: str = ""
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        record = read_json(folder / SUMMARY)
        process = _record(Identity, record.get("process")) if record else None
        summary = _record(cls, record | {"process": process}) if record and process else None
        if summary:
            summary.last = _numbers(summary.last)
            summary.best = {
                name: {"v": value, "step": best["step"]}
                for name, best in summary.best.items()
                if isinstance(best, dict) and (value := number(best.get("v"))) is not None and "step" in best
            }
        return summary

    def write(self, folder: Path, *, sync: bool = True) -> None:
        write_json(folder / SUMMARY, asdict(self), sync=sync)


@dataclass
class Meta:
    """``meta.json``: what people say about a run."""

    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False
    archived: bool = False
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self:
        return _record(cls, read_json(folder / META) or {}) or cls()

    def write(self, folder: Path) -> None:
        write_json(folder / META, asdict(self))


@dataclass(frozen=True)
class QueueOverride:
    """``control/queue.json``: a person's changes to a waiting run. ``position`` replaces the time of joining."""

    position: float | None = None  # unix seconds, "place" in the file; the least is first
    paused: bool = False
    v: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Self:
        record = read_json(folder / CONTROL / QUEUE_OVERRIDE) or {}
        return _record(cls, record | {"position": record.get("place")}) or cls()

    def write(self, folder: Path) -> None:
        try:
            (folder / CONTROL).mkdir(exist_ok=True)
        except OSError as error:
            raise refused(error, folder / CONTROL) from error
        write_json(folder / CONTROL / QUEUE_OVERRIDE, {"place": self.position, "paused": self.paused, "v": self.v})


def archive_exit(folder: Path) -> None:
    """Put the end of the attempt before aside, so that the folder tells of the new one. Its lock must be held."""
    old = Exit.read(folder)
    if old:
        (folder / EXIT).replace(folder / f"exit-{old.attempt}.json")


def withdraw_requests(folder: Path) -> None:
    """Forget what people asked of an earlier attempt."""
    discard(folder / CONTROL)


def occupied(folder: Path) -> RunError:
    """What to tell who wants to start a run that is already at work."""
    return RunError(
        "a process is at work on this run already",
        location=str(folder),
        remedy=f"Watch it with: engine logs -f {folder.name}; end it with: engine stop {folder.name}",
    )


_Kind = TypeVar("_Kind")


def _record(kind: type[_Kind], values: object) -> _Kind | None:
    """``values`` as a ``kind``: unknown fields are left out; None when a field is missing or of another type."""
    if not isinstance(values, dict):
        return None
    known: dict[str, Any] = {}
    for name, types in _types(kind).items():  # type: ignore[arg-type]  # a class is hashable
        if name in values:
            value = values[name]
            if float in types and isinstance(value, str):
                value = number(value)
            if not isinstance(value, types):
                return None
            known[name] = value
    try:
        return kind(**known)
    except TypeError:
        return None


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    """Numbers as an event or summary holds them as floats, without what is none."""
    return {name: value for name, item in values.items() if (value := number(item)) is not None}


@functools.cache
def _types(kind: Any) -> dict[str, tuple[type, ...]]:
    """The classes that each field of a record may have: ``float | None`` allows int, float and None."""

    def classes(hint: Any) -> Iterator[type]:
        if get_origin(hint) in (Union, UnionType):
            for part in get_args(hint):
                yield from classes(part)
        else:
            yield get_origin(hint) or hint
            if hint is float:
                yield int

    return {name: tuple(classes(hint)) for name, hint in get_type_hints(kind).items()}


def take_lock(folder: Path, patience: float) -> int:
    """The run's lock, waiting ``patience`` seconds for it; RunError when another process keeps it."""
    deadline = time.monotonic() + patience
    while (lock := hold(folder / LOCK)) is None:
        if time.monotonic() > deadline:
            raise occupied(folder)
        time.sleep(0.05)
    return lock


def next_attempt(folder: Path) -> int:
    """The number of the attempt that begins now, from 1."""
    records = (Process.read(folder), Summary.read(folder))
    return 1 + max(record.attempt if record else 0 for record in records)
