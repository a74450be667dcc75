"""A run as the list shows it, without reading its events.

Plain values, cleaned where they were read; an unknown field is empty or None.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.jobs.queue_rows import RunFacts
from engine.runs.schema import STOP_AFTER_EVALUATION
from engine.stages import METRICS_TABLE, STAGES, makes

OPEN = ("WAITING", "QUEUED", "RUNNING", "STALLED")
OTHER = "OTHER"  # the state of another program's run: nothing says whether it is at work
WORST = {"": 0, "info": 1, "warning": 2, "error": 3}

Peers = tuple[str, str, str]  # stage, the data run it was made from, and the main metric


@dataclass
class Row(RunFacts):
    """One run: the facts that the queue needs, and those that only lists show."""

    seed: int | None = None
    attempt: int = 1
    request: str = ""  # a person's: the name of the file in control/ that asks a run at work to end
    phase: str = ""
    step: int = 0
    total: int = 0
    epoch: float | None = None
    rate: float | None = None
    unit: str = "steps"
    last: dict[str, float] = field(default_factory=dict)
    best: dict[str, tuple[float, float]] = field(default_factory=dict)  # metric -> (value, step)
    kept: dict[str, tuple[float, float]] = field(default_factory=dict)  # the same of the checkpoint that was kept
    health: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    git: str = ""
    dirty: bool = False
    argv: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False
    archived: bool = False
    folder: str = field(default="", compare=False)  # name of its folder of runs, where several are shown
    waits: str = field(default="", compare=False)  # its unfinished inputs, in words
    config: dict[str, Any] | None = None  # flat: "student.hidden" -> 64; None until it is read

    @property
    def name(self) -> str:
        """The id without the stage and the century."""
        return self.id.removeprefix(self.stage + "-").removeprefix("20")

    def shortened(self, size: int) -> str:
        """The name in at most ``size`` cells: the end, which tells runs apart, is kept; the date gives way."""
        return (
            self.name if len(self.name) <= size else "…" + self.name[-(size - 1) :] if size > 1 else self.name[-size:]
        )

    @property
    def state_text(self) -> str:
        """The state, and whether a person has asked the run to end."""
        if not (self.live and self.request):
            return self.state
        return "STOPPING after its next evaluation" if self.request == STOP_AFTER_EVALUATION else "STOPPING"

    @cached_property
    def overrides(self) -> dict[str, str]:
        """The settings of the command that made it."""
        return {name: value for word in self.argv for name, equals, value in [word.partition("=")] if equals}

    @property
    def peers(self) -> Peers:
        """Stage, data and main metric: only runs in which they are equal have comparable metrics."""
        return self.stage, self.inputs.get("data", ""), self.metric

    @property
    def metric(self) -> str:
        """Its stage's main metric, or the one that it reports in place of that."""
        return main_metric(self.stage, self.last)[0]

    @property
    def goal(self) -> str:
        """The better direction of the main metric: max, min, or empty."""
        return main_metric(self.stage, self.last)[1]

    def value(self, metric: str, which: str = "") -> float | None:
        """A metric of the kept checkpoint, else its best value, else its last; ``which``: only the "best" or "last"."""
        if not which and metric in self.kept:
            return self.kept[metric][0]
        if which != "last" and metric in self.best:
            return self.best[metric][0]
        return None if which == "best" else self.last.get(metric)

    @property
    def score(self) -> float | None:
        """The main metric of the kept checkpoint."""
        return self.value(self.metric) if self.metric else None

    @property
    def model(self) -> str:
        """The model that an evaluation's figures are of; empty for a training, whose figures are its own."""
        model = self.facts.get("model")
        return model if isinstance(model, str) and self.has_result else ""

    @property
    def has_result(self) -> bool:
        """Whether runs of this stage end with a table of models."""
        return makes(self.stage, METRICS_TABLE)

    @property
    def level(self) -> str:
        """The worst level of its health notes: "", info, warning or error."""
        levels = [str(note.get("level", "info")) for note in self.health.values()]
        return max(levels, key=lambda level: WORST.get(level, 1), default="")

    @property
    def troubled(self) -> bool:
        """Whether it failed, or notes a fault."""
        return self.state in ("FAILED", "KILLED", "LOST") or self.level in ("warning", "error")

    @property
    def work(self) -> tuple[int, int, str]:
        """Units done, units planned and their name: of a training that ended its steps, whatever it did last."""
        steps = self.facts.get("steps")
        return (
            (steps, steps, "steps")
            if self.state == "DONE" and isinstance(steps, int)
            else (self.step, self.total, self.unit)
        )

    @property
    def share(self) -> float | None:
        """Progress, 0..1; None while the total is not known."""
        if self.state == "DONE":
            return 1.0
        return min(self.step / self.total, 1.0) if self.total else None


def better(goal: str, a: float, b: float) -> bool:
    return a < b if goal == "min" else a > b


def best_rows(rows: Iterable[Row]) -> dict[Peers, Row]:
    """Peers -> the run with the best main metric among these."""
    found: dict[Peers, tuple[float, Row]] = {}
    for row in rows:
        score = row.score
        if score is not None and math.isfinite(score):
            kept = found.get(row.peers)
            if kept is None or better(row.goal, score, kept[0]):
                found[row.peers] = (score, row)
    return {peers: row for peers, (_, row) in found.items()}


def main_metric(stage: str, reported: Collection[str]) -> tuple[str, str]:
    """Name and goal of the main metric of a run that reported these; both empty without one."""
    known = STAGES.get(stage)
    main = known.main_metric(reported) if known else None
    return (main.name, main.goal) if main else ("", "")
