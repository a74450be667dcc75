"""A run for Weights & Biases, offline: folders that ``wandb sync`` sends, each one session of the mirror."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import RunError, require_packages
from engine.jobs.state import State
from engine.mirror.mirrored_run import MirroredRun, RunEnd, folder_of
from engine.mirror.points import HistogramPoint, Point, RewindPoint
from engine.runs.files import make_folder
from engine.runs.schema import Record

PROJECT = "recdistill"


@dataclass(frozen=True)
class Sessions(Record):
    """The sessions that are whole. A folder that is not among them was interrupted: it is removed and made again."""

    FILE: ClassVar[str] = "mirror.json"

    position: int = -1
    ended: str = ""
    folders: list[str] = field(default_factory=list)


class WandbMirror:
    """One run: every ``write`` is an offline session that continues it."""

    every = 600.0  # a session is a folder of its own

    def __init__(self, to: Path, run: MirroredRun) -> None:
        """UserError where wandb is not installed."""
        require_packages(["wandb"], "a mirror for Weights & Biases", "wandb")
        self._folder, self._run = make_folder(folder_of(to, run.info.id)), run
        self._known = Sessions.read(self._folder) or Sessions()
        self.position, self.ended = self._known.position, self._known.ended
        for folder in self._sessions() - set(self._known.folders):
            shutil.rmtree(self._folder / "wandb" / folder)

    def write(self, points: list[Point], position: int, end: RunEnd | None) -> None:
        with self._session(failed=end is not None and end.state is not State.DONE) as (wandb, session):
            for row in _rows(points, wandb.Histogram):
                session.log(row)
            if end is not None:
                session.summary.update({**end.figures, "state": end.state.value})
        self._known = Sessions(position, "" if end is None else end.name, sorted(self._sessions()))
        self._known.write(self._folder)
        self.position, self.ended = self._known.position, self._known.ended

    def _sessions(self) -> set[str]:
        return {folder.name for folder in (self._folder / "wandb").glob("offline-run-*")}

    @contextmanager
    def _session(self, failed: bool) -> Iterator[tuple[Any, Any]]:
        """An offline session of the run; it is on the disk when the block has ended."""
        import wandb

        info = self._run.info
        settings = wandb.Settings(
            silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, disable_code=True
        )
        try:
            session = wandb.init(
                mode="offline",
                dir=str(self._folder),
                project=PROJECT,
                id=info.id,
                name=info.id,
                group=info.experiment,
                job_type=info.stage,
                resume="allow" if self._known.folders else None,
                config=self._run.settings,
                settings=settings,
            )
            session.define_metric("*", step_metric="step")
            yield wandb, session
            session.finish(exit_code=int(failed))
            wandb.teardown()  # ends the process that writes: then everything is in the file
        except (wandb.errors.Error, OSError) as error:
            raise RunError(
                f"Weights & Biases refused: {(str(error) or type(error).__name__).splitlines()[0]}",
                location=str(self._folder),
                remedy="Nothing is lost: the same command goes on where it stopped.",
            ) from error


def _rows(points: list[Point], histogram: Any) -> list[dict[str, Any]]:
    """A row for each event: its step, its time and its numbers. W&B cannot take back what a rewind replaces."""
    rows: dict[int, dict[str, Any]] = {}
    for point in points:
        if isinstance(point, RewindPoint):
            continue
        row = rows.setdefault(point.q, {"step": point.step, "time": point.time})
        if isinstance(point, HistogramPoint):
            edges = [k / len(point.counts) for k in range(len(point.counts) + 1)]
            row[point.tag] = histogram(np_histogram=(point.counts, edges))
        else:
            row[point.tag] = point.value
    return list(rows.values())
