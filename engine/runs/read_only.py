"""A process that trains beside the one that reports: it reads what the run reads and leaves every word to the other."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.runs.run import Run
from engine.runs.schema import RunInfo
from engine.stages import STAGES, Artifact

RANK = "LOCAL_RANK"  # set by whoever starts several processes for one run


def rank() -> int:
    """Which of a run's processes this is; 0 is the one that reports."""
    return int(os.environ.get(RANK) or 0)


class ReadOnlyRun(Run):
    """A run without a voice: inputs and checkpoints are read, outputs are thrown away, reports go nowhere."""

    def __init__(self, folder: Path) -> None:
        # Without Run's own beginning: that takes the folder, opens the journal and announces an attempt.
        self.folder = folder
        self.info = RunInfo.read(folder)
        self.id, self.stage = self.info.id, STAGES[self.info.stage]

    def output(self, artifact: Artifact) -> AbstractContextManager[Path]:
        return self.checkpoint(artifact.file)

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch) / name

    @property
    def stop_requested(self) -> bool:
        """Never by itself: the reporting process decides and tells."""
        return False

    @property
    def stop_after_evaluation(self) -> bool:
        return False

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the whole group gets it; the reporting process acts on it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to record."""

    def _silent(self, *given: Any, **named: Any) -> None:
        """Said by the other process."""

    describe = resumed = scalars = evaluation = gradients = gate = progress = health = log = note = watch = _silent
