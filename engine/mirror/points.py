"""A run's events as points of curves and histograms, which every dashboard knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.runs.events import Event, number, unpack_counts


@dataclass(frozen=True)
class ScalarPoint:
    """A number of a step. ``q`` is the sequence number of its event, ``time`` unix seconds."""

    q: int
    tag: str
    step: int
    value: float
    time: float


@dataclass(frozen=True)
class HistogramPoint:
    """How many rows gave an expert a weight in each of equal parts of [0, 1]."""

    q: int
    tag: str
    step: int
    counts: list[float]
    time: float


@dataclass(frozen=True)
class RewindPoint:
    """What was reported after ``step`` is replaced by what follows: another attempt goes on there."""

    q: int
    step: int
    time: float


Point = ScalarPoint | HistogramPoint | RewindPoint


class Translator:
    """Events, in the order in which they were written, to points. Metrics keep their names, behind a group's."""

    def __init__(self) -> None:
        self._groups: list[str] = []  # parameter groups of grad events
        self._reported = False  # something of a step was
        self._begins = False  # an attempt began and has not reported a step yet

    def feed(self, event: Event) -> list[Point]:
        """The points of the next event."""
        kind = event["k"]
        if kind == "schema":
            self._groups = [str(group.get("name")) for group in event["groups"] if isinstance(group, dict)]
        if kind == "start":
            self._begins = event.get("resumed_from") is None
            if self._reported and not self._begins:
                return [RewindPoint(event["q"], event["resumed_from"], event["t"])]
        points = list(self._points(event))
        if (
            points and self._begins
        ):  # an attempt that did not resume starts over: its first step replaces all later ones
            again, self._begins = self._reported, False
            points = [*([RewindPoint(event["q"], event["step"] - 1, event["t"])] if again else []), *points]
        self._reported = self._reported or bool(points)
        return points

    def _points(self, event: Event) -> Iterator[Point]:
        kind = event["k"]
        if kind in ("s", "val"):
            group = "train" if kind == "s" else event["split"]
            yield from self._scalars(event, {f"{group}/{name}": value for name, value in event["m"].items()})
        elif kind == "grad":
            yield from self._scalars(event, {"gradient/total": event["total"]})
            for group, values in (("gradient", event["g"]), ("update", event.get("u") or [])):
                named = zip(self._groups, values, strict=False)
                yield from self._scalars(event, {f"{group}/{name}": value for name, value in named})
        elif kind == "gate":
            tag = f"gate/{event['layer']}"
            yield from self._scalars(event, {f"{tag}/entropy": event["ent"]})
            yield from self._scalars(event, {f"{tag}/load e{k}": value for k, value in enumerate(event["load"])})
            for expert, counts in enumerate(unpack_counts(event["c"], event["mx"])):
                yield HistogramPoint(event["q"], f"{tag}/e{expert}", event["step"], counts, event["t"])

    @staticmethod
    def _scalars(event: Event, values: dict[str, object]) -> Iterator[ScalarPoint]:
        for tag, raw in values.items():
            value = number(raw)
            if value is not None:
                yield ScalarPoint(event["q"], tag, event["step"], value, event["t"])


def settled(points: Sequence[Point]) -> list[Point]:
    """The points without those that a later rewind among them replaces."""
    kept: list[Point] = []
    for point in points:
        if isinstance(point, RewindPoint):
            kept = [other for other in kept if isinstance(other, RewindPoint) or other.step <= point.step]
        kept.append(point)
    return kept
