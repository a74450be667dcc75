"""Appends events: one ``write`` for each line, numbered over all attempts, thinned out to the rates of their kinds."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.runs.events import KINDS, LINE_LIMIT, TEXT_LIMIT, VERSION, Kind
from engine.runs.files import refused, to_line

BURST_SECONDS = 5  # a kind may use this many seconds of its rate at once, so short work is not thinned out


class EventWriter:
    """``events.jsonl`` open for appending. ``clock`` gives unix seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._budget: dict[tuple[str, str], tuple[float, float]] = {}  # lines left, and when that was
        self._held: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}  # newest event that was held back
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            tail = os.pread(self._file, 2 * LINE_LIMIT, max(os.fstat(self._file).st_size - 2 * LINE_LIMIT, 0))
        except OSError as error:
            raise refused(error, path) from error
        self._torn = bool(tail) and not tail.endswith(b"\n")  # a writer died in the middle of a line
        self._sequence = _last_sequence(tail) + 1

    def write(
        self,
        kind: str,
        *,
        step: int | None = None,
        epoch: float | None = None,
        always: bool = False,
        key: str = "",
        **fields: Any,
    ) -> None:
        """Append an event, or hold it back when its kind (and ``key`` in it) is over its rate, unless ``always``.

        Fields that are None are left out.
        """
        declared = KINDS[kind]
        unknown = set(fields) - set(declared.needs) - set(declared.may)
        if unknown or (declared.step and step is None):
            raise ValueError(
                f"event {kind!r}: {', '.join(sorted(unknown)) or 'step'} does not fit engine/runs/events.py"
            )
        event = {name: _short(value) for name, value in fields.items() if value is not None}
        if step is not None:
            event["step"] = int(step)
        if epoch is not None:
            event["ep"] = float(epoch)
        stream = (kind, key)
        held = self._held.pop(stream, None)
        if held and kind == "s" and held[1]["step"] == step:
            event["m"] = held[1]["m"] | event["m"]
        if always or self._affordable(declared, key):
            self._append(kind, self._clock(), event)
        else:
            self._held[stream] = (self._clock(), event)

    def flush(self, kind: str | None = None) -> None:
        """Append the events that were held back (of one kind), so that later ones follow them."""
        for stream in [stream for stream in self._held if kind in (None, stream[0])]:
            at, event = self._held.pop(stream)
            self._append(stream[0], at, event)

    def close(self) -> None:
        os.close(self._file)

    def _affordable(self, kind: Kind, key: str) -> bool:
        """Use one line of the kind's budget, which refills with time up to ``BURST_SECONDS`` of its rate."""
        if kind.rate is None:
            return True
        now, most = self._clock(), kind.rate * BURST_SECONDS
        left, at = self._budget.get((kind.name, key), (most, now))
        left = min(most, left + max(now - at, 0) * kind.rate)
        self._budget[kind.name, key] = (left - (left >= 1), now)
        return left >= 1

    def _append(self, kind: str, at: float, event: dict[str, Any]) -> None:
        line = to_line({"v": VERSION, "t": round(at, 3), "q": self._sequence, "k": kind} | event) + b"\n"
        if len(line) > LINE_LIMIT:
            raise ValueError(f"an event {kind!r} of {len(line)} bytes is longer than {LINE_LIMIT}")
        if self._torn:
            line = b"\n" + line
        try:
            while line:
                # A full disk accepts a part of the line and refuses the rest.
                line = line[os.write(self._file, line) :]
                self._torn = bool(line)
        except OSError as error:
            raise refused(error, self.path) from error
        self._sequence += 1


def _short(value: Any) -> Any:
    return value[:TEXT_LIMIT] if isinstance(value, str) else value


def _last_sequence(tail: bytes) -> int:
    """The sequence number of the last whole event in ``tail``; -1 when there is none."""
    for line in reversed(tail.split(b"\n")):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("q"), int):
            return int(event["q"])
    return -1
