"""What is copied of a run beside its events: what it is, its settings, its results, how it ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import ConfigError
from engine.jobs.state import State
from engine.jobs.store import Entry
from engine.mirror.points import Point
from engine.report.evaluation import read
from engine.report.settings import ASIDE, SEED, settings_of
from engine.runs.lineage import folders
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import METRICS_TABLE

RESULTS = ("hr@10", "ndcg@10", "mrr")  # of every model of an evaluation, the first two with their intervals


@dataclass(frozen=True)
class MirroredRun:
    """A run as a dashboard shows it."""

    info: RunInfo
    settings: dict[str, str | float | bool]  # of the run's stage and of those that it was made from

    @classmethod
    def of(cls, entry: Entry) -> "MirroredRun":
        """The run; its settings are empty where its configuration cannot be read."""
        stages = {RunInfo.read(folder).stage for folder in folders(entry.folder)}
        try:
            found = settings_of(entry.folder)
        except ConfigError:
            found = {}
        kept = {
            name: _plain(value)
            for name, value in found.items()
            if value is not None and not name.startswith(ASIDE) and (name == SEED or name.partition(".")[0] in stages)
        }
        return cls(entry.info, {"stage": entry.info.stage, **kept})


def _plain(value: Any) -> str | float | bool:
    return value if isinstance(value, str | bool | float) else float(value) if isinstance(value, int) else str(value)


def results(entry: Entry) -> dict[str, float]:
    """Figures of a run that has ended: of the kept weights, and of an evaluation's models on test rows."""
    found = {f"best/{name}": value for name, value in entry.summary.kept.items()} if entry.summary else {}
    if entry.state is State.DONE and (entry.folder / ARTIFACTS / METRICS_TABLE.file).is_file():
        rows = [row for row in read(entry.folder, METRICS_TABLE) if (row["split"], row["main"]) == ("test", "true")]
        for row in rows:
            for metric in RESULTS:
                for name in (metric, f"{metric} low", f"{metric} high"):
                    if row.get(name):
                        found[f"result/{row['model']}/{name}"] = float(row[name])
    return found


@dataclass(frozen=True)
class RunEnd:
    """How a run ended, with its figures."""

    state: State
    attempt: int
    figures: dict[str, float]
    time: float  # unix seconds

    @property
    def name(self) -> str:
        """What tells one end of a run from another."""
        return f"{self.state.value} {self.attempt}"


class Mirror(Protocol):
    """One run in another program's format."""

    every: float  # seconds between two writes, at least
    position: int  # sequence number of the last event that is there, -1 for none
    ended: str  # name of the end that is there, "" for none

    def write(self, points: list[Point], position: int, end: RunEnd | None) -> None:
        """Add the points of all events up to ``position``, and the end. RunError where they cannot be written."""


def folder_of(to: Path, run: str) -> Path:
    """The folder of a run's copy."""
    return to / run
