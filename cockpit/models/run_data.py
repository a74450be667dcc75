"""Everything that one run has reported, folded from its events for the screens.

A whole file at once or one event at a time gives the same result.
"""

from collections.abc import Mapping
from typing import Any

from cockpit.models.gates import Gates
from cockpit.models.gradients import Gradients
from cockpit.models.series import Series
from engine.runs.events import Event, number
from engine.runs.reader import Fold

TOTAL = "grad_norm"  # the series of the total gradient norm
WARNINGS = 100  # different ones that are kept


class RunData(Fold[Series]):
    """Series by metric name, gradient groups, gates, health and progress of one run."""

    def __init__(self) -> None:
        super().__init__(Series)
        self.best: dict[str, tuple[float, float]] = {}  # metric -> (value, step) of the latest evaluation marked best
        self.schema: dict[str, dict[str, Any]] = {}
        self.gradients = Gradients()
        self.gates = Gates()
        self.health: dict[str, Event] = {}  # code -> its latest event
        self.warnings: dict[str, str] = {}  # messages that the stage logged -> level
        self.total = 0.0  # planned steps; 0 while unknown
        self.nan_since: float | None = None
        self.unread = 0  # gate events whose parts contradict each other

    def feed(self, event: Event) -> None:
        super().feed(event)
        match event["k"]:
            case "grad":
                self.record(self.series, event, {TOTAL: self.gradients.feed(event)})
            case "gate":
                self.unread += not self.gates.feed(event)
            case "prog" if event["unit"] == "steps":
                self.total = number(event["total"]) or 0.0
            case "health":
                self.health[event["code"]] = event
                self.gradients.note(event)
                self.gates.note(event)
            case "log" if event["level"] in ("warning", "error") and len(self.warnings) < WARNINGS:
                self.warnings[event["msg"]] = event["level"]
            case "schema":
                self.gradients.schema(event["groups"])
                self.schema = {name: facts for name, facts in event["names"].items() if isinstance(facts, dict)}
            case "start":  # faults of the previous attempt do not hold for this one
                for notes in (self.health, self.gradients.notes, self.gates.notes):
                    notes.clear()

    def record(self, into: dict[str, Series], event: Event, values: Mapping[str, object]) -> dict[str, float]:
        known = super().record(into, event, values)
        step = float(event["step"])
        if event.get("best"):
            self.best |= {name: (value, step) for name, value in known.items()}
        if self.nan_since is None and any(value != value for value in known.values()):
            self.nan_since = step
        return known

    def rewind(self, step: float) -> None:
        super().rewind(step)
        self.gates.rewind(step)
        self.gradients.past.rewind(step)
        self.best = {name: best for name, best in self.best.items() if best[1] <= step}
        if self.nan_since is not None and self.nan_since > step:
            self.nan_since = None
