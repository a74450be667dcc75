"""For processes that train beside the reporting one: they read what the run reads and leave all reports to it."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.runs.reporter import SilentReporter
from engine.runs.run_files import RunFiles
from engine.stages import Artifact

RANK = "LOCAL_RANK"  # set by whoever starts several processes for one run


def rank() -> int:
    """Which of a run's processes this is; 0 is the one that reports."""
    return int(os.environ.get(RANK) or 0)


class ReadOnlyRun(RunFiles, SilentReporter):
    """The files of a run for reading: outputs and checkpoints are discarded, reports are ignored."""

    stop_requested = stop_after_evaluation = False  # the reporting process decides and informs the others

    def output(self, artifact: Artifact) -> AbstractContextManager[Path]:
        return self.checkpoint(artifact.file)

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch) / name

    def drop_checkpoint(self, name: str) -> None:
        """Nothing: the reporting process deletes what it wrote."""

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group; the reporting process acts on it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to record."""
