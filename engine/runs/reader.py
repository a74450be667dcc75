"""Reads a run while it is written: new events, new lines of the console, and the whole history.

Polls, which works on network disks and costs one ``stat`` when nothing happened. Texts are cleaned here.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from engine.runs import schema
from engine.runs.events import LINE_LIMIT, Event, fault, number
from engine.runs.files import is_plain
from engine.runs.text import clean, clean_values

READ_LIMIT = 256 * 1024  # bytes of one read, so that it takes a few milliseconds at most


class Growing:
    """A file that grows: ``read`` gives the bytes since the last call, at most ``limit`` of them.

    A file that shrank or was replaced starts again, and ``rewritten`` counts that.
    """

    def __init__(self, path: Path, limit: int = READ_LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.rewritten = 0
        self.offset = 0
        self.behind = False  # the last read did not reach the end
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
    are the first of another file: discard the earlier ones.
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
        """Whether the last read did not reach the end: read again soon."""
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


class Growable(Protocol):
    """What a fold needs of a series."""

    def append(self, step: int, value: float, time: float, epoch: float | None = None) -> None: ...
    def rewind(self, step: float) -> None: ...


S = TypeVar("S", bound=Growable)


class Fold(Generic[S]):
    """Folds a run's events, in the order in which they were written, into one series per metric.

    The points of a later attempt replace those of an earlier one from the step at which it resumed.
    """

    def __init__(self, series: Callable[[], S]) -> None:
        self.series: dict[str, S] = {}  # of training steps and evaluations, by metric
        self.attempt = 0
        self._new_series = series
        self._begins = False  # an attempt began and has not reported a point yet

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            self.feed(event)

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        if event["k"] == "start":
            self.attempt = event["attempt"]
            self._begins = True
            if event.get("resumed_from") is not None:
                self.rewind(event["resumed_from"])
        elif event["k"] in ("s", "val"):
            self.record(self.series, event, event["m"])

    def record(self, into: dict[str, S], event: Event, values: Mapping[str, object]) -> dict[str, float]:
        """Append the event's values to their series; returns those that are numbers."""
        step, time, epoch = event["step"], event["t"], number(event.get("ep"))
        if self._begins:  # an attempt that did not resume starts over: its first step replaces all later ones
            self._begins = False
            self.rewind(step - 1)
        known = {name: value for name, raw in values.items() if (value := number(raw)) is not None}
        for name, value in known.items():
            series = into.get(name)
            if series is None:
                series = into[name] = self._new_series()
            series.append(step, value, time, epoch)
        return known

    def rewind(self, step: float) -> None:
        """Drop every point after ``step``."""
        for series in self.series.values():
            series.rewind(step)


@dataclass
class MetricSeries:
    """The values of one metric in order of steps."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # unix seconds

    def append(self, step: int, value: float, time: float, epoch: float | None = None) -> None:
        self.steps.append(step)
        self.values.append(value)
        self.times.append(time)

    def rewind(self, step: float) -> None:
        while self.steps and self.steps[-1] > step:
            self.steps.pop(), self.values.pop(), self.times.pop()


@dataclass(frozen=True)
class Evaluation:
    step: int
    split: str
    values: dict[str, float]
    best: bool
    t: float


class History(Fold[MetricSeries]):
    """Everything that a run has reported."""

    def __init__(self) -> None:
        super().__init__(MetricSeries)
        self.evaluations: list[Evaluation] = []
        self.latest: dict[str, Event] = {}  # kind (for gate: "gate " + layer) -> newest event
        self.notices: list[Event] = []  # health, log, ckpt, start, end in order
        self.groups: list[str] = []  # parameter groups of grad events
        self.gradients: dict[str, MetricSeries] = {}  # group -> norm, where it has a gradient; "total"

    def feed(self, event: Event) -> None:
        kind = event["k"]
        self.latest["gate " + event["layer"] if kind == "gate" else kind] = event
        if kind in ("start", "health", "log", "ckpt", "end"):
            self.notices.append(event)
        if kind == "schema":
            self.groups = [str(group.get("name")) for group in event["groups"] if isinstance(group, dict)]
        elif kind == "grad":
            norms = zip(self.groups, event["g"], strict=False)
            self.record(self.gradients, event, {"total": event["total"], **dict(norms)})
        super().feed(event)

    def record(self, into: dict[str, MetricSeries], event: Event, values: Mapping[str, object]) -> dict[str, float]:
        known = super().record(into, event, values)
        if event["k"] == "val":
            self.evaluations.append(
                Evaluation(event["step"], event["split"], known, bool(event.get("best")), event["t"])
            )
        return known

    def rewind(self, step: float) -> None:
        super().rewind(step)
        for norms in self.gradients.values():
            norms.rewind(step)
        self.evaluations = [evaluation for evaluation in self.evaluations if evaluation.step <= step]


def events(folder: Path, file: str = schema.EVENTS) -> Iterator[Event]:
    """Every event that the stage (``file`` = DEVICES: the supervisor) has written at ``folder`` so far."""
    tail = Tail(folder / file)
    yield from tail.read()
    while tail.behind:
        yield from tail.read()


def history(folder: Path) -> History:
    """The fold of all events of the run at ``folder``."""
    found = History()
    found.add(events(folder))
    return found


def follow(path: Path, living: Callable[[], bool], wait: float = 0.2) -> Iterator[str]:
    """The lines of a console as they appear, cleaned, until ``living`` is false and everything was read."""
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
