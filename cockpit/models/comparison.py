"""What ``engine compare --json`` said, as values to draw. No number is computed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.runs.events import number


@dataclass(frozen=True)
class Spread:
    """A metric within a group; ``sd`` is None for one run."""

    mean: float | None
    sd: float | None
    n: int
    values: tuple[float | None, ...]  # in order of the group's runs


@dataclass(frozen=True)
class Difference:
    """``other`` minus ``base``, both places of groups. ``low`` and ``high`` are None where chance cannot be told."""

    base: int
    other: int
    mean: float | None
    percent: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    n: int
    over: str  # seeds, rows
    verdict: str  # better, worse, undecided


@dataclass(frozen=True)
class Metric:
    name: str
    model: str
    goal: str
    groups: tuple[Spread, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Setting:
    name: str
    values: tuple[Any, ...]
    same: bool


@dataclass(frozen=True)
class Comparison:
    """``seeds``, ``labels`` and ``runs`` by group; ``made_from``: run -> [(stage, id, shared with all)]."""

    labels: tuple[str, ...] = ()
    runs: tuple[tuple[str, ...], ...] = ()
    settings: tuple[Setting, ...] = ()
    protocol: str = ""
    metrics: tuple[Metric, ...] = ()
    overlaps: tuple[tuple[int, str, float], ...] = ()  # group, models, share
    made_from: Mapping[str, Sequence[tuple[str, str, bool]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()


def parse(value: Any) -> Comparison:
    """The comparison that ``engine`` printed; ValueError when it is none that this cockpit can read."""
    try:
        return Comparison(
            tuple(str(group["label"]) for group in value["groups"]),
            tuple(tuple(str(run["id"]) for run in group["runs"]) for group in value["groups"]),
            tuple(Setting(str(row["name"]), tuple(row["values"]), bool(row["same"])) for row in value["settings"]),
            str(value["protocol"] or ""),
            tuple(_metric(metric) for metric in value["metrics"]),
            tuple(
                (int(one["group"]), " ".join(map(str, one["models"])), float(one["value"])) for one in value["overlaps"]
            ),
            {
                str(one["run"]): [(str(m["stage"]), str(m["id"]), bool(m["shared_with_all"])) for m in one["made_from"]]
                for one in value["lineage"]
            },
            tuple(str(note["text"]) for note in value["notes"]),
            tuple(str(sentence) for sentence in value["verdict"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"engine compare answered in a form that this cockpit does not know ({error!r})") from error


def _metric(value: Mapping[str, Any]) -> Metric:
    return Metric(
        str(value["metric"]),
        str(value["model"] or ""),
        str(value["goal"]),
        tuple(
            Spread(number(one["mean"]), number(one["sd"]), int(one["n"]), tuple(number(v) for v in one["values"]))
            for one in value["groups"]
        ),
        tuple(
            Difference(
                int(one["base"]),
                int(one["other"]),
                number(one["mean"]),
                number(one["percent"]),
                number(one["low"]),
                number(one["high"]),
                number(one["p_holm"]),
                int(one["n"]),
                str(one["over"]),
                str(one["verdict"]),
            )
            for one in value["differences"]
        ),
    )


def told_apart(comparison: Comparison, place: int) -> str:
    """What a group is called: its experiments where those differ, else the settings that set it apart."""
    labels = comparison.labels
    if len(set(labels)) == len(labels):
        return labels[place]
    apart = [
        f"{row.name.rpartition('.')[2]}={shown(row.values[place])}"
        for row in comparison.settings
        if not row.same and not row.name.endswith("seed") and place < len(row.values)
    ]
    return " ".join(apart[:2]) or labels[place]


def shown(value: Any) -> str:
    """A setting's value as it would be typed; a dash where a group does not have it."""
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
