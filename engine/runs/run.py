"""What a stage may do with its run: open inputs, make outputs and checkpoints, report, and ask whether to stop.

``with Run.open(folder) as run: stage.run(config, run)`` locks the folder (a second holder is refused), listens to
SIGTERM, and records how the work ended: done, stopped (``Stopped``) or failed. Every exception passes on.
Outside of ``with`` a ``Run`` opens, writes and reports all the same, but listens to no signal and records no end.
"""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from engine.errors import UserError
from engine.runs import schema
from engine.runs.files import SCRATCH, discard, hold
from engine.runs.reporter import Reporter
from engine.runs.run_files import RunFiles
from engine.runs.schema import Process, begin_attempt, occupied

CONTROL_EVERY = 0.2  # seconds between two looks into control/
TRACE = 4000  # characters of a traceback that the end event keeps


class Stopped(Exception):
    """Raised by a stage after it wrote its checkpoint because it was asked to stop."""


class Run(RunFiles, Reporter):
    """One attempt of one stage at its folder. ``clock`` gives unix seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        RunFiles.__init__(self, folder)
        process = Process.read(self.folder)
        # The stage leads its process group, but a wrapper (a profiler, a shell) may stand between the two.
        leader = process.stage if process else None
        self._supervised = leader is not None and leader.pid == os.getpgrp() and bool(leader.alive)
        self.attempt = process.attempt if process and self._supervised else schema.next_attempt(self.folder)
        self._terminated = False
        self._control = (0.0, False, False)  # time of the last look, stop, stop after evaluation
        self._lock: int | None = None
        self._old_handler: Any = None
        for name in (schema.ARTIFACTS, schema.CHECKPOINTS):
            discard(self.folder / name / SCRATCH)
        Reporter.__init__(self, self.folder, self.stage, self.attempt, clock)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The run at ``folder``, as a new attempt unless a supervisor has begun one."""
        return cls(folder)

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Path]:
        """A scratch path that becomes ``checkpoints/<name>`` when the block ends well; then it is reported."""
        with super().checkpoint(name) as scratch:
            yield scratch
        self.saved(self.checkpoints / name)

    @property
    def stop_requested(self) -> bool:
        """Whether to write a checkpoint and raise ``Stopped`` as soon as possible."""
        return self._terminated or self._requests()[0]

    @property
    def stop_after_evaluation(self) -> bool:
        """Whether to do so after the next evaluation."""
        return self._requests()[1]

    def _requests(self) -> tuple[bool, bool]:
        at, stop, later = self._control
        if self._clock() - at >= CONTROL_EVERY:
            control = self.folder / schema.CONTROL
            stop, later = (control / schema.STOP).exists(), (control / schema.STOP_AFTER_EVALUATION).exists()
            self._control = (self._clock(), stop, later)
        return stop, later

    def __enter__(self) -> Self:
        if not self._supervised:
            self._lock = hold(self.folder / schema.LOCK)
            if self._lock is None:
                raise occupied(self.folder)
            begin_attempt(self.folder, self.attempt)
        if threading.current_thread() is threading.main_thread():
            self._old_handler = signal.signal(signal.SIGTERM, self._on_sigterm)
        return self

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)
        try:
            if error is None:
                self.end("done")
            elif isinstance(error, Stopped | KeyboardInterrupt):
                self.end("stopped", str(error))
            elif isinstance(error, UserError):
                self.end("failed", str(error))
            else:
                last_line = traceback.format_exception_only(error)[-1].strip()
                self.end("failed", last_line, "".join(traceback.format_exception(error))[-TRACE:])
        finally:
            if self._lock is not None:
                os.close(self._lock)
