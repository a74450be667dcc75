"""Reading a run while it is written: new events since the last look, its console, and its whole history.

Polling, not watching: it works on network disks and costs one ``stat`` when nothing happened.
Texts are cleaned here, so what comes out may be shown.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.runs import schema
from engine.runs.events import LINE_LIMIT, Event, fault, number
from engine.runs.files import is_plain
from engine.runs.text import clean, clean_values

READ_LIMIT = 256 * 1024  # bytes of one look, so that it takes a few milliseconds at most


class Growing:
    """A file that grows: ``read`` gives the bytes since the last call, at most ``limit`` of them.

    A file that shrank or was replaced starts again, and ``rewritten`` counts that.
    """

    def __init__(self, path: Path, limit: int = READ_LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.rewritten = 0
        self.offset = 0
        self.behind = False  # more was there than the last read gave
        self._file: tuple[int, int] | None = None  # device and inode

    def read(self) -> bytes:
        try:
            with self.path.open("rb", buffering=0) as file:
                facts = os.fstat(file.fileno())
                if self._file not in (None, (facts.st_dev, facts.st_ino)) or facts.st_size < self.offset:
                    self.rewritten += 1
                    self.offset = 0
                self._file = (facts.st_dev, facts.st_ino)
                data = os.pread(file.fileno(), self.limit, self.offset)
        except FileNotFoundError:
            data, self.behind = b"", False
            return data
        self.offset += len(data)
        self.behind = self.offset < facts.st_size
        return data


class Tail:
    """The events at ``path`` as they arrive: ``read`` gives those since the last call.

    ``bad`` counts lines that were no events and were skipped. When ``rewritten`` has grown, the events of that call
    are from the start of another file: forget what the earlier ones said.
    """

    def __init__(self, path: Path, limit: int = READ_LIMIT) -> None:
        self._growing = Growing(path, limit)
        self._carry = b""  # an unfinished line, as bytes: a character may be cut in two
        self._skipping = False  # inside a line that is too long to be an event
        self.bad = 0

    @property
    def rewritten(self) -> int:
        return self._growing.rewritten

    @property
    def behind(self) -> bool:
        """Whether more is there than the last read gave: read again soon."""
        return self._growing.behind

    def read(self) -> list[Event]:
        """The events since the last call, of at most ``limit`` bytes; an unfinished last line waits."""
        before = self.rewritten
        data = self._growing.read()
        if self.rewritten != before:
            self._carry, self._skipping = b"", False
        return self.feed(data)

    def feed(self, data: bytes) -> list[Event]:
        """The events that ``data``, the next bytes of the stream, completes."""
        *lines, self._carry = (self._carry + data).split(b"\n")
        events = []
        for line in lines:
            event = None if self._skipping else _event(line)
            self._skipping = False
            if event is not None:
                events.append(event)
            elif line.strip():
                self.bad += 1
        if len(self._carry) >= LINE_LIMIT:
            self._carry, self._skipping = b"x", True  # counted as one bad line when it ends
        return events


def _event(line: bytes) -> Event | None:
    if len(line) >= LINE_LIMIT:
        return None
    try:
        event = json.loads(line.decode())  # of text: half the time of guessing the encoding of bytes
    except (ValueError, RecursionError):
        return None
    if fault(event):
        return None
    return event if is_plain(line) else clean_values(event)  # type: ignore[no-any-return]


@dataclass
class MetricSeries:
    """One number over the steps, in order."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # unix seconds

    def add(self, step: int, value: float, t: float) -> None:
        self.steps.append(step)
        self.values.append(value)
        self.times.append(t)

    def cut(self, step: int) -> None:
        """Forget what is later than ``step``."""
        while self.steps and self.steps[-1] > step:
            self.steps.pop(), self.values.pop(), self.times.pop()


@dataclass(frozen=True)
class Evaluation:
    step: int
    split: str
    values: dict[str, float]
    best: bool
    t: float


@dataclass
class History:
    """What a run reported, told as one story: what a later attempt did again replaces what an earlier one said."""

    metrics: dict[str, MetricSeries] = field(default_factory=dict)  # of training steps and evaluations, by name
    evaluations: list[Evaluation] = field(default_factory=list)
    latest: dict[str, Event] = field(default_factory=dict)  # kind (for gate: "gate " + layer) -> newest event
    notices: list[Event] = field(default_factory=list)  # health, log, ckpt, start, end in order
    groups: list[str] = field(default_factory=list)  # parameter groups of grad events
    gradients: dict[str, MetricSeries] = field(default_factory=dict)  # group -> norm, where it has a gradient; "total"
    attempt: int = 0

    def add(self, events: Iterable[Event]) -> None:
        """Take in the next events."""
        for event in events:
            kind = event["k"]
            self.latest["gate " + event["layer"] if kind == "gate" else kind] = event
            if kind == "start":
                self.attempt = event["attempt"]
                self._fresh = True
                if event.get("resumed_from") is not None:
                    self._cut(event["resumed_from"])
            elif kind == "schema":
                self.groups = [str(group.get("name")) for group in event["groups"] if isinstance(group, dict)]
            elif kind in ("s", "val", "grad"):
                self._point(event)
            if kind in ("start", "health", "log", "ckpt", "end"):
                self.notices.append(event)

    _fresh: bool = field(default=False, repr=False)

    def _point(self, event: Event) -> None:
        step, t = event["step"], event["t"]
        if self._fresh:
            # An attempt that says nothing of going on has begun anew: from its first step on it tells the story.
            self._fresh = False
            self._cut(step - 1)
        if event["k"] == "grad":
            values = {"total": number(event["total"])} | {
                name: number(norm) for name, norm in zip(self.groups, event["g"], strict=False)
            }
            series = self.gradients
        else:
            values = {name: number(value) for name, value in event["m"].items()}
            series = self.metrics
        known = {name: value for name, value in values.items() if value is not None}
        for name, value in known.items():
            series.setdefault(name, MetricSeries()).add(step, value, t)
        if event["k"] == "val":
            self.evaluations.append(Evaluation(step, event["split"], known, bool(event.get("best")), t))

    def _cut(self, step: int) -> None:
        for series in (*self.metrics.values(), *self.gradients.values()):
            series.cut(step)
        self.evaluations = [evaluation for evaluation in self.evaluations if evaluation.step <= step]


def history(folder: Path) -> History:
    """Everything that the run at ``folder`` has reported so far."""
    story, tail = History(), Tail(folder / schema.EVENTS)
    story.add(tail.read())
    while tail.behind:
        story.add(tail.read())
    return story


def follow(path: Path, living: Callable[[], bool], wait: float = 0.2) -> Iterator[str]:
    """The lines of a console as they appear, cleaned, until ``living`` says no and everything was read."""
    growing, carry = Growing(path), b""
    while True:
        last = not living()
        while data := growing.read():
            *lines, carry = (carry + data).split(b"\n")
            yield from (clean(line.decode("utf-8", "replace")) for line in lines)
        if last:
            break
        time.sleep(wait)
    if carry:
        yield clean(carry.decode("utf-8", "replace"))
