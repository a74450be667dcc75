"""Everything that one run has reported, built from its events in the order in which they were written.

Plain Python over numpy arrays: it can be fed a whole file at once or one line at a time and ends the same.
"""

from typing import Any

from cockpit.models.gates import Gates
from cockpit.models.gradients import Gradients
from cockpit.models.series import Series
from engine.runs.events import number

TOTAL = "grad_norm"  # the series of the total gradient norm
WARNINGS = 100  # different ones that are kept


class RunData:
    """Series by metric name, gradient groups, gates, health and progress of one run."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.best: dict[str, tuple[float, float]] = {}  # metric -> (value, step) of the evaluation that was marked best
        self.schema: dict[str, dict[str, Any]] = {}
        self.gradients = Gradients()
        self.gates = Gates()
        self.health: dict[str, dict[str, Any]] = {}  # code -> its latest event
        self.warnings: dict[str, str] = {}  # what the stage itself warned of -> level
        self.progress: dict[str, Any] = {}
        self.total = 0.0  # steps that are planned; 0 while nothing said so
        self.attempt = 1
        self.nan_since: float | None = None
        self.end: dict[str, Any] = {}
        self.unread = 0  # events that made no sense
        self._anew = False  # an attempt began that has not said where it goes on

    def series_of(self, name: str) -> Series:
        return self.series.setdefault(name, Series())

    def feed(self, event: dict[str, Any]) -> None:
        """Take one event that the reader found well formed."""
        kind = event["k"]
        match kind:
            case "s" | "val":
                self._scalars(event)
            case "grad":
                self._point(TOTAL, event, self.gradients.feed(event))
            case "gate":
                self.unread += not self.gates.feed(event)
            case "prog":
                self.progress = event
                if event["unit"] == "steps":
                    self.total = number(event["total"]) or 0.0
            case "health":
                self.health[event["code"]] = event
                self.gradients.note(event)
                self.gates.note(event)
            case "log":
                if event["level"] in ("warning", "error") and len(self.warnings) < WARNINGS:
                    self.warnings[event["msg"]] = event["level"]
            case "schema":
                self.gradients.schema(event["groups"])
                self.schema = {k: v for k, v in event["names"].items() if isinstance(v, dict)}
            case "start":
                self._start(event)
            case "end":
                self.end = event

    def _scalars(self, event: dict[str, Any]) -> None:
        for name, value in event["m"].items():
            self._point(name, event, number(value))
            if event.get("best"):
                self.best[name] = (number(value) or 0.0, float(event["step"]))

    def _point(self, name: str, event: dict[str, Any], value: float | None) -> None:
        if value is None:
            return
        series = self.series_of(name)
        step = float(event["step"])
        if self._anew:
            self._rewind(step - 1)
        elif series.count and step < series.last_step:
            series.rewind(step)
        if self.nan_since is None and value != value:
            self.nan_since = step
        series.append(step, value, float(event["t"]), number(event.get("ep")))

    def _start(self, event: dict[str, Any]) -> None:
        self.attempt = event["attempt"]
        self.end = {}
        resumed = number(event.get("resumed_from"))
        if resumed is not None:
            self._rewind(resumed)
        else:
            self._anew = bool(self.series)

    def _rewind(self, step: float) -> None:
        """Forget what was reported after ``step``: this attempt tells it again."""
        self._anew = False
        for series in self.series.values():
            series.rewind(step)
        self.gates.rewind(step)
        self.health.clear()
        self.gradients.notes.clear()
        self.gates.notes.clear()
        self.best = {name: best for name, best in self.best.items() if best[1] <= step}
        if self.nan_since is not None and self.nan_since > step:
            self.nan_since = None
