"""A run as a folder that TensorBoard opens: one event file, and how far it goes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from engine.jobs.state import State
from engine.mirror import tensorboard_records as records
from engine.mirror.mirrored_run import MirroredRun, RunEnd, folder_of
from engine.mirror.points import HistogramPoint, Point, ScalarPoint
from engine.runs.files import refused
from engine.runs.schema import Record

OTHER = "choose another folder with --to tensorboard DIR"


@dataclass(frozen=True)
class Written(Record):
    """How far the event file is whole: what lies behind ``size`` was not finished, and is written again."""

    FILE: ClassVar[str] = "mirror.json"

    position: int
    ended: str
    size: int  # bytes


class TensorBoardMirror:
    """Appends to the event file of a run. A write that was interrupted is cut off and repeated."""

    every = 0.0

    def __init__(self, to: Path, run: MirroredRun) -> None:
        self._folder, self._run = folder_of(to, run.info.id), run
        self._path = self._folder / f"events.out.tfevents.{int(run.info.created):010}.recdistill"
        written = Written.read(self._folder) if self._path.exists() else None
        self.position, self.ended, self._size = (
            (written.position, written.ended, written.size) if written else (-1, "", 0)
        )

    def write(self, points: list[Point], position: int, end: RunEnd | None) -> None:
        events = [event for point in points for event in self._events(point)]
        if end is not None:
            events += [records.scalar(tag, 0, value, end.time) for tag, value in end.figures.items()]
            status = records.SUCCESS if end.state is State.DONE else records.FAILURE
            events.append(records.session_end(status, end.time))
        self._append(events, position, "" if end is None else end.name)

    def _events(self, point: Point) -> list[bytes]:
        if isinstance(point, ScalarPoint):
            return [records.scalar(point.tag, point.step, point.value, point.time)]
        if isinstance(point, HistogramPoint):
            return [records.histogram(point.tag, point.step, point.counts, point.time)]
        again = [self._start()] if point.step < 0 else []  # the settings stand at step 0
        return [records.restart(point.step + 1, point.time), *again]

    def _start(self) -> bytes:
        return records.session_start(self._run.settings, self._run.info.id, self._run.info.created)

    def _append(self, events: list[bytes], position: int, ended: str) -> None:
        try:
            if not self._size:
                self._folder.mkdir(parents=True, exist_ok=True)
                events = [records.first_event(self._run.info.created), self._start(), *events]
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(b"".join(map(records.record, events)))
                self._size = file.tell()
        except OSError as error:
            raise refused(error, self._path, OTHER) from error
        Written(position, ended, self._size).write(self._folder)
        self.position, self.ended = position, ended
