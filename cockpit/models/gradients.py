"""Gradient norms by parameter group: ordinary, exactly zero, or no gradient at all.

Norms are those of the latest report; faults are those that the run itself noted (``engine.training.health``).
"""

import math
from dataclasses import dataclass
from typing import Any

from cockpit.models.over_time import OverTime
from engine.runs.events import number

NONE, ZERO, NAN, HIGH, LOW, STILL, OK = "None", "zero", "NaN", "high", "low", "still", "ok"

FAULTS = {"grad_none": NONE, "grad_zero": ZERO, "nan_loss": NAN, "explode": HIGH, "grad_small": LOW, "still": STILL}
CLIP_REPORTS, CLIP_SHARE = 20, 0.9  # reports, and the share of cut ones among them, from which clipping is a fault
OVER = (None, "info")  # levels of a note whose fault is over


@dataclass(frozen=True)
class ParameterGroup:
    """One parameter group in the latest report. ``update`` is the update over the weight, when it was reported."""

    name: str
    size: int
    norm: float | None
    update: float | None
    verdict: str
    noted: bool  # as a fault by the run itself: a first report may be zero without one


class Gradients:
    """The latest norm of every group; the total norm over time is a series of ``RunData``."""

    def __init__(self) -> None:
        self.names: list[tuple[str, int]] = []
        self.norms: list[float | None] = []
        self.updates: list[float | None] = []
        self.clip: float | None = None
        self.reports = self.clipped = 0
        self.notes: dict[str, tuple[str, ...]] = {}  # code of a lasting fault -> groups
        self.past = OverTime()  # norms of the groups, NaN where there is no gradient

    def note(self, event: dict[str, Any]) -> None:
        """Take a ``health`` event."""
        self.notes.pop(event["code"], None)
        if event["code"] in FAULTS and event.get("level") not in OVER:
            self.notes[event["code"]] = tuple(str(group) for group in event.get("groups") or ())

    def schema(self, groups: list[Any]) -> None:
        """Take the groups of a ``schema`` event."""
        self.names = [
            (str(group.get("name", "?")), int(number(group.get("numel")) or 0))
            for group in groups
            if isinstance(group, dict)
        ]

    def feed(self, event: dict[str, Any]) -> float | None:
        """Take a ``grad`` event; returns the total norm."""
        self.norms = [number(value) for value in event["g"]]
        self.past.append(event["step"], [math.nan if norm is None else norm for norm in self.norms])
        updates = event.get("u")
        self.updates = [number(value) for value in updates] if isinstance(updates, list) else []
        self.clip = number(event.get("clip"))
        self.reports += 1
        self.clipped += bool(event.get("clipped"))
        return number(event["total"])

    @property
    def clip_share(self) -> float:
        """Share of reports in which the total norm was cut to ``clip``."""
        return self.clipped / self.reports if self.reports else 0.0

    @property
    def always_clipped(self) -> bool:
        """Whether nearly every step was cut, so that the clip and not the gradient sets the size of a step."""
        return self.reports >= CLIP_REPORTS and self.clip_share >= CLIP_SHARE

    def groups(self) -> list[ParameterGroup]:
        """Every group with its verdict, in the order of the schema."""
        found = []
        for index, norm in enumerate(self.norms):
            name, size = self.names[index] if index < len(self.names) else (f"group {index}", 0)
            update = self.updates[index] if index < len(self.updates) else None
            noted = next((FAULTS[code] for code, groups in self.notes.items() if name in groups), OK)
            found.append(ParameterGroup(name, size, norm, update, _verdict(norm) or noted, noted != OK))
        return found


def _verdict(norm: float | None) -> str:
    """The verdict on a norm alone; empty for an ordinary one."""
    if norm is None:
        return NONE
    if not math.isfinite(norm):
        return NAN
    return ZERO if norm == 0.0 else ""
