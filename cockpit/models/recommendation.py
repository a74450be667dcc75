"""What the models of a run said of one history, as ``engine serve-local`` tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.runs.text import clean

READY, LOADING = "ready", "loading"


@dataclass(frozen=True)
class Named:
    """An item by its names."""

    item: int
    raw: str
    title: str


@dataclass(frozen=True)
class Place:
    """A place of a list. ``next``: what the person really chose."""

    named: Named
    score: float
    next: bool


@dataclass(frozen=True)
class Column:
    """One model's list, or why it has none."""

    model: str
    run: str
    state: str
    note: str
    source: str
    places: tuple[Place, ...]
    next_rank: float | None
    gates: tuple[float, ...]
    ms: float | None

    def rank(self, item: int) -> int | None:
        """The place of an item in the list, from 1."""
        return next((place for place, one in enumerate(self.places, start=1) if one.named.item == item), None)


@dataclass(frozen=True)
class Tried:
    """All columns beside each other."""

    history: tuple[Named, ...]  # oldest first
    user: str
    next: Named | None
    columns: tuple[Column, ...]
    overlap: tuple[tuple[str, str, int], ...]

    @property
    def shown(self) -> tuple[Column, ...]:
        """Columns of models that somebody trained; all where nobody trained any."""
        return tuple(column for column in self.columns if column.run) or self.columns

    @property
    def common(self) -> frozenset[int]:
        """Items that every list has, where there are several."""
        lists = [frozenset(place.named.item for place in column.places) for column in self.columns if column.places]
        return frozenset.intersection(*lists) if len(lists) > 1 else frozenset()


def named(record: Mapping[str, Any]) -> Named:
    """KeyError, TypeError or ValueError where the record is none of an item; so all functions here."""
    return Named(int(record["item"]), clean(record["raw"], 80), clean(record["title"], 200))


def tried(record: Mapping[str, Any]) -> Tried:
    """An answer to ``recommend``."""
    return Tried(
        tuple(named(one) for one in record["history"]),
        clean(record["user"], 80),
        None if record["next"] is None else named(record["next"]),
        tuple(_column(one) for one in record["columns"]),
        tuple((str(one), str(other), int(count)) for one, other, count in record["overlap"]),
    )


def _column(record: Mapping[str, Any]) -> Column:
    rank, taken = record["next_rank"], record["ms"]
    return Column(
        clean(record["model"], 40),
        clean(record["run"], 80),
        str(record["state"]),
        clean(record["note"], 400),
        str(record["source"]),
        tuple(Place(named(one), float(one["score"]), bool(one["next"])) for one in record["items"]),
        None if rank is None else float(rank),
        tuple(float(weight) for weight in record["gates"] or ()),
        None if taken is None else float(taken),
    )
