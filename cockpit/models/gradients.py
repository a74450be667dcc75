"""Gradient norms by parameter group: who learns, who gets exactly nothing, and who gets no gradient at all."""

import math
from dataclasses import dataclass
from typing import Any

from engine.runs.events import number

NONE, ZERO, NAN, HIGH, LOW, OK = "None", "zero", "NaN", "high", "low", "ok"
LOW_SHARE = 0.05  # of the median of the groups
HIGH_SHARE = 100.0

WORDS = {
    NONE: "no gradient: frozen, detached, or not in the optimiser",
    ZERO: "exactly zero: the loss does not depend on it, or it is saturated",
    NAN: "not a number",
    HIGH: "far above the other groups",
    LOW: "under 5 % of the median of the groups",
    OK: "",
}


@dataclass(frozen=True)
class Group:
    """One parameter group in the latest report. ``update`` is the update over the weight, when it was reported."""

    name: str
    size: int
    norm: float | None
    update: float | None
    verdict: str


class Gradients:
    """The groups' latest norms; the history of the total norm is a series like any other."""

    def __init__(self) -> None:
        self.names: list[tuple[str, int]] = []
        self.norms: list[float | None] = []
        self.updates: list[float | None] = []
        self.clip: float | None = None
        self.reports = self.clipped = 0

    def schema(self, groups: list[Any]) -> None:
        """Take the groups of a ``schema`` event."""
        self.names = [
            (str(group.get("name", "?")), int(number(group.get("numel")) or 0))
            for group in groups
            if isinstance(group, dict)
        ]

    def feed(self, event: dict[str, Any]) -> float | None:
        """Take a ``grad`` event; gives the total norm."""
        self.norms = [number(value) for value in event["g"]]
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

    def groups(self) -> list[Group]:
        """Every group with its verdict, in the order of the schema."""
        finite = sorted(norm for norm in self.norms if norm is not None and math.isfinite(norm) and norm > 0)
        median = finite[len(finite) // 2] if finite else 0.0
        found = []
        for index, norm in enumerate(self.norms):
            name, size = self.names[index] if index < len(self.names) else (f"group {index}", 0)
            update = self.updates[index] if index < len(self.updates) else None
            found.append(Group(name, size, norm, update, _verdict(norm, median)))
        return found


def _verdict(norm: float | None, median: float) -> str:
    if norm is None:
        return NONE
    if not math.isfinite(norm):
        return NAN
    if norm == 0.0:
        return ZERO
    if norm > HIGH_SHARE * median:
        return HIGH
    return LOW if norm < LOW_SHARE * median else OK
