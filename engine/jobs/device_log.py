"""Records what a run's processes use of their machine as events in ``devices.jsonl``, in a thread of the supervisor.

The file never holds more than ``LIMIT`` bytes: when it is full, neighbouring readings become one and the interval
doubles. Nothing here can end or delay the run: NVML may hang in a broken driver, so the supervisor never waits for it.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import RunError
from engine.jobs.devices import DeviceReader, Fields, merged, rounded
from engine.runs.event_writer import EventWriter
from engine.runs.events import Event
from engine.runs.files import replace, to_line
from engine.runs.reader import events
from engine.runs.schema import DEVICES

EVERY = 2.0  # seconds between two readings, and between two events while the file is short
LIMIT = 200_000  # bytes of the file
PATIENCE = 1.0  # seconds for a reading that is under way when the stage ends


class DeviceLog:
    """Appends readings to the file of the run at ``folder`` and thins it out."""

    def __init__(self, folder: Path, machine: Fields, limit: int = LIMIT) -> None:
        self._path, self._limit = folder / DEVICES, limit
        self._waiting: list[Fields] = []  # readings since the last event
        earlier = [event for event in events(folder, DEVICES) if event["k"] == "machine"]
        self.every = float(earlier[-1]["every"]) if earlier else EVERY  # seconds between two events
        self._writer = EventWriter(self._path)
        self._writer.write("machine", every=self.every, **rounded(machine))

    def add(self, reading: Fields) -> None:
        """Keep a reading of the last ``EVERY`` seconds; it is written with others once ``every`` seconds are full."""
        self._waiting.append(reading)
        if len(self._waiting) * EVERY >= self.every:
            readings, self._waiting = self._waiting, []
            self._writer.write("sys", **rounded(merged(readings)))
            if self._path.stat().st_size > self._limit:
                self._thin()

    def note(self, text: str) -> None:
        """A remark about the readings themselves."""
        self._writer.write("log", level="warning", msg=text)

    def close(self) -> None:
        self._writer.close()

    def _thin(self) -> None:
        self.every *= 2
        kept = thinned(events(self._path.parent, DEVICES))
        for event in kept:
            if event["k"] == "machine":
                event["every"] = self.every
        replace(self._path, b"".join(to_line(event) + b"\n" for event in kept), sync=False)
        self._writer.close()
        self._writer = EventWriter(self._path)


def thinned(written: Iterable[Event]) -> list[Event]:
    """Every two neighbouring readings as one at the time of the later; a ``machine`` without readings is left out."""
    out: list[Event] = []
    pair: Event | None = None
    for event in written:
        if event["k"] == "sys" and pair is not None:
            common = {name: event[name] for name in ("v", "t", "q", "k")}
            out[-1] = common | rounded(merged([_fields(pair), _fields(event)]))
            pair = None
            continue
        pair = event if event["k"] == "sys" else None
        if event["k"] == "machine" and out and out[-1]["k"] == "machine":
            out.pop()
        out.append(dict(event))
    return out


def _fields(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("v", "t", "q", "k")}


class DeviceRecorder:
    """The thread: reads every ``EVERY`` seconds from ``start`` to ``stop``."""

    def __init__(self, folder: Path, reader: Callable[[], DeviceReader] | None = None, every: float = EVERY) -> None:
        self._folder, self._every = folder, every
        self._open = reader or (lambda: DeviceReader(os.getpid(), folder))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="devices", daemon=True)

    def start(self) -> None:
        """Begin in a thread that takes no signal: those of the supervisor interrupt the wait of its main thread."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def stop(self) -> None:
        """End; a reading that hangs is left alone."""
        self._end.set()
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        log = None
        with suppress(RunError):  # the disk takes nothing: the stage, which writes far more, reports it
            try:
                reader = self._open()
                log = DeviceLog(self._folder, reader.machine())
                while not self._end.wait(self._every):
                    reading = reader.read()
                    if reading["n"]:  # the stage has not ended just now
                        log.add(reading)
            except RunError:
                raise
            except Exception as error:  # whatever it is, the run goes on without further readings
                log = log or DeviceLog(self._folder, {})
                log.note(f"no readings of devices from here on: {type(error).__name__}: {error}")
            finally:
                if log is not None:
                    log.close()
