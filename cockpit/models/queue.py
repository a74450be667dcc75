"""What works and what waits, in the order of turns: which slot, why it waits, when it will begin and be done.

Knows rows and what the queue's files say; reads nothing itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cockpit.models.rows import Row
from engine.jobs.forecast import Ended, Job, forecast, usual
from engine.jobs.queue import Use, Waiting, why

WAITS = ("WAITING", "QUEUED")


@dataclass(frozen=True)
class Turn:
    """A run that is not over. ``place`` is its place in its line, from 1 on; times in seconds from now."""

    row: Row
    use: Use | None
    waiting: Waiting | None
    place: int | None
    begins: float | None
    ends: float | None
    why: str

    @property
    def paused(self) -> bool:
        return self.waiting is not None and self.waiting.turn.paused

    @property
    def device(self) -> str:
        """The slot that it works on, or the device that it waits for."""
        if self.use is not None:
            return f"{self.use.device} {self.use.slot}"
        return self.waiting.device if self.waiting is not None else ""


def turns(rows: Mapping[str, Row], uses: Sequence[Use], line: Sequence[Waiting], now: float) -> list[Turn]:
    """Runs at work first, then each line from its first on, then what waits elsewhere. ``now``: unix seconds."""
    slots = {use.run: use for use in uses if use.run}
    waiting = {one.run: one for one in line}
    places = {run: place for place, run in enumerate(waiting)}
    living = [row for row in rows.values() if row.open]
    living.sort(key=lambda row: (not row.live, places.get(row.id, len(places)), row.created, row.id))
    times = forecast(_jobs(living, list(rows.values()), slots, waiting, now))
    found = []
    for row in living:
        mine = waiting.get(row.id)
        before = [one for one in line if mine and (one.host, one.device) == (mine.host, mine.device)]
        place = before.index(mine) + 1 if mine else None
        told = _why(row, rows, mine, line, uses)
        found.append(Turn(row, slots.get(row.id), mine, place, *times[row.id], told))
    return found


def _jobs(
    living: Iterable[Row], rows: Iterable[Row], slots: Mapping[str, Use], waiting: Mapping[str, Waiting], now: float
) -> list[Job]:
    ended = [
        Ended(row.stage, row.experiment, row.created, row.wall)
        for row in rows
        if row.state == "DONE" and row.wall is not None
    ]
    jobs = []
    for row in living:
        mine, use = waiting.get(row.id), slots.get(row.id)
        place = mine or use
        left = usual(row.stage, row.experiment, ended)
        if row.live:
            begun = now if row.started is None else row.started
            left = row.eta if row.eta is not None else None if left is None else max(left - (now - begun), 0.0)
        jobs.append(
            Job(
                row.id,
                left,
                (place.host, place.device) if place else None,
                mine.count if mine else 1,
                use.slot if use else None,
                tuple(row.inputs.values()),
                row.live,
                bool(mine and mine.turn.paused),
            )
        )
    return jobs


def _why(row: Row, rows: Mapping[str, Row], mine: Waiting | None, line: Sequence[Waiting], uses: Sequence[Use]) -> str:
    """What keeps a run from working; what it does when it works."""
    if row.live:
        return row.reason or row.phase or "starting"
    if mine is not None and mine.turn.paused:
        return "paused: p lets it go on"
    if row.state == "WAITING" or mine is None:
        return row.waits or row.reason
    told = why(mine, line, uses)
    for use in uses:
        if use.run in rows:
            told = told.replace(use.run, short(rows[use.run]))
    return told


def short(row: Row) -> str:
    """A run in a sentence: its stage and the end of its id."""
    return f"{row.stage} {row.id[-4:]}"


def resting_on(run: str, rows: Mapping[str, Row]) -> list[Row]:
    """The runs that wait for this one, and for those."""
    found: dict[str, Row] = {}
    left = [run]
    while left:
        one = left.pop()
        new = [
            row for row in rows.values() if one in row.inputs.values() and row.state in WAITS and row.id not in found
        ]
        found |= {row.id: row for row in new}
        left += [row.id for row in new]
    return list(found.values())
