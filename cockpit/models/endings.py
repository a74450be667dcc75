"""Runs and experiments that ended while somebody watched, as lines and as facts for a command."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from cockpit.models.rows import Row
from engine.report import numbers

SETTLED = 10.0  # seconds without a run at work after which an experiment has ended: a search makes trials one by one
FAILED = ("FAILED", "KILLED", "LOST")


@dataclass(frozen=True)
class Ending:
    """The end of ``runs``: of one, or of all of an experiment."""

    runs: tuple[Row, ...]
    experiment: str = ""  # "" for a single run

    @property
    def failed(self) -> bool:
        return any(row.state in FAILED for row in self.runs)

    @property
    def counts(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in Counter(row.state for row in self.runs).items())

    @property
    def text(self) -> str:
        """In a line."""
        if self.experiment:
            return f"experiment {self.experiment} ended: {self.counts}"
        row = self.runs[0]
        took = f" in {numbers.duration(row.wall)}" if row.wall is not None else ""
        score = f", {row.metric} {numbers.figure(row.score)}" if row.state == "DONE" and row.score is not None else ""
        reason = f" {row.reason}" if row.reason and row.state != "DONE" else ""
        return f"{row.stage} {row.name}: {row.state}{reason}{took if row.state == 'DONE' else ''}{score}"

    def facts(self, folder: str) -> dict[str, str]:
        """Environment variables of a command. ``folder``: of the run, or that of all runs."""
        row = self.runs[0]
        own = (
            {}
            if self.experiment
            else {
                "RUN": row.id,
                "STAGE": row.stage,
                "REASON": row.reason,
                "SECONDS": "" if row.wall is None else f"{row.wall:.0f}",
                "METRIC": row.metric if row.score is not None else "",
                "VALUE": "" if row.score is None else repr(row.score),
            }
        )
        facts = {
            "KIND": "experiment" if self.experiment else "run",
            "EXPERIMENT": self.experiment or row.experiment,
            "STATE": ("FAILED" if self.failed else "DONE") if self.experiment else row.state,
            "COUNTS": self.counts,
            "FOLDER": folder,
            "TEXT": self.text,
        }
        return {f"COCKPIT_{name}": value for name, value in (facts | own).items()}


class Endings:
    """Compares every look at the runs with the one before."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._ending: dict[str, float] = {}  # experiment -> when its last run at work was seen to have ended

    def of(self, rows: Mapping[str, Row], now: float) -> list[Ending]:
        """What has ended since the last call; a run that had ended before it was first seen is not news."""
        ended = [rows[run] for run in self._open if run in rows and not rows[run].open]
        self._open = {run for run, row in rows.items() if row.open}
        found = [Ending((row,)) for row in sorted(ended, key=lambda row: (row.created, row.id))]
        self._ending |= {row.experiment: now for row in ended if row.experiment}
        return [*found, *self._experiments(rows.values(), now)]

    def _experiments(self, rows: Collection[Row], now: float) -> Iterator[Ending]:
        for experiment, since in list(self._ending.items()):
            members = tuple(row for row in rows if row.experiment == experiment)
            if any(row.open for row in members):
                del self._ending[experiment]
            elif now - since >= SETTLED:
                del self._ending[experiment]
                if len(members) > 1:
                    yield Ending(members, experiment)
