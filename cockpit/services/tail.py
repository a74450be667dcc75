"""Following one run: its events into ``RunData``, its console into lines, a few milliseconds at a time.

A long history is first sampled (blocks spread over the file), so that its curves are drawn within a second; the whole
file is then read in the background and replaces the sample.
"""

import os
import time
from collections import deque
from pathlib import Path

from cockpit.models.devices import Devices
from cockpit.models.run_data import RunData
from engine.runs import schema
from engine.runs.reader import Growing, Tail
from engine.runs.text import clean

LONG = 4 << 20  # bytes of events above which a sample is shown first
BLOCK = 8 << 10  # bytes of one sampled block
SAMPLES = 150
PIECE = 24 << 10  # bytes read at a time: a few milliseconds of work before keys are handled again
KEPT = 20_000  # console lines
CONSOLE_TAIL = 1 << 20  # bytes of the console that are read at first
LINE_LIMIT = 1 << 16


class RunFollower:
    """The events of one run. ``data`` can be drawn at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = RunData()
        self.devices = Devices()
        self._readings = Tail(folder / schema.DEVICES, PIECE)
        self._thinned = 0
        self._tail = Tail(folder / schema.EVENTS, PIECE)
        self._reading = self.data
        self._rewritten = 0
        self.version = 0  # grows with every change
        size = _size(folder / schema.EVENTS)
        if size > LONG:
            self.data = sample(folder / schema.EVENTS, size)
            self.version += 1

    @property
    def loading(self) -> bool:
        """Whether ``data`` is still a sample of a long history."""
        return self._reading is not self.data

    def poll(self, budget: float) -> bool:
        """Read for about ``budget`` seconds; returns whether there were new events."""
        start = time.perf_counter()
        changed = self._read_devices()
        while True:
            try:
                events = self._tail.read()
            except OSError:
                return changed  # unreadable: what was read is kept
            if self._tail.rewritten != self._rewritten:
                self._rewritten = self._tail.rewritten
                self.data = self._reading = RunData()
                changed = True
            for event in events:
                self._reading.feed(event)
            changed |= bool(events)
            if not self._tail.behind:
                if self.loading:
                    self.data = self._reading
                break
            if time.perf_counter() - start > budget:
                break
        self.version += changed
        return changed

    def _read_devices(self) -> bool:
        """The next readings of devices; returns whether there are any. A file that was thinned out starts again."""
        try:
            events = self._readings.read()
        except OSError:
            return False
        if self._readings.rewritten != self._thinned:
            self._thinned = self._readings.rewritten
            self.devices = Devices()
        for event in events:
            self.devices.feed(event)
        return bool(events)


def sample(path: Path, size: int) -> RunData:
    """Events from blocks spread evenly over the file, the first and the last block among them."""
    data = RunData()
    try:
        with path.open("rb", buffering=0) as file:
            for index in range(SAMPLES):
                offset = (size - BLOCK) * index // (SAMPLES - 1)
                block = os.pread(file.fileno(), BLOCK, offset)
                first = 0 if index == 0 else block.find(b"\n") + 1
                last = block.rfind(b"\n") + 1
                for event in Tail(path).feed(block[first:last]):
                    data.feed(event)
    except OSError:
        return data
    return data


class Console:
    """The end of a run's console as cleaned lines, the newest last."""

    def __init__(self, folder: Path) -> None:
        path = folder / schema.CONSOLE
        self._growing = Growing(path, 4 * PIECE)
        size = _size(path)
        self.skipped = max(0, size - CONSOLE_TAIL)  # bytes of the beginning that are not shown
        self._growing.offset = self.skipped
        self._carry = b""
        self._cut = self.skipped > 0  # the first line begins in its middle
        self._begun = size > 0
        self.complete = False  # everything that is shown was read once
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.version = 0

    def poll(self, budget: float) -> bool:
        """Read for about ``budget`` seconds; returns whether there were new lines."""
        start = time.perf_counter()
        before = self.version
        while time.perf_counter() - start < budget:
            rewritten = self._growing.rewritten
            try:
                data = self._growing.read()
            except OSError:
                break
            if self._growing.rewritten != rewritten:
                self._carry, self.skipped, self._cut = b"", 0, False
                self._add("-- the console was replaced --")
            self.complete = not self._growing.behind
            if not data:
                break
            self._feed(data)
        return self.version != before

    def _feed(self, data: bytes) -> None:
        *lines, self._carry = (self._carry + data).split(b"\n")
        if self._cut and lines:
            lines, self._cut = lines[1:], False
        for line in lines:
            self._add(clean(line[:LINE_LIMIT].decode("utf-8", "replace")))
        if len(self._carry) > LINE_LIMIT:  # a line without end: shown in parts
            self._add(clean(self._carry[:LINE_LIMIT].decode("utf-8", "replace")))
            self._carry = b""

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self.version += 1

    @property
    def blank(self) -> bool:
        """Whether the run has printed nothing."""
        return not (self._begun or self.lines or self._carry)

    @property
    def unfinished(self) -> str:
        """The line that is being written, as of a progress bar."""
        return clean(self._carry[-LINE_LIMIT:].decode("utf-8", "replace"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
