"""The rows of the queue: runs at work and waiting runs in order, with what each waits for, its begin and its end.

Pure functions of records that were read before; ``engine queue`` and the Queue screen of the cockpit show their rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

from engine.jobs.forecast import Job, forecast
from engine.jobs.queue import SlotUse, Waiting
from engine.jobs.state import State

LATEST = 5  # finished runs that the expected duration is the median of


@dataclass
class RunFacts:
    """What the queue uses of a run's records."""

    id: str
    stage: str
    experiment: str = ""
    state: str = "LOST"  # a value of State
    reason: str = ""  # what it waits for or how it ended
    created: float = 0.0  # unix seconds
    started: float | None = None
    eta: float | None = None  # seconds, as the stage reports them
    wall: float | None = None  # seconds of the latest attempt, when it is over
    inputs: dict[str, str] = field(default_factory=dict)  # stage -> run id

    @property
    def live(self) -> bool:
        """Whether it is at work."""
        return self.state in (State.RUNNING, State.STALLED)

    @property
    def open(self) -> bool:
        """Whether it is at work or waits."""
        return self.live or self.state in (State.WAITING, State.QUEUED)


Run = TypeVar("Run", bound=RunFacts)


@dataclass(frozen=True)
class QueueRow(Generic[Run]):
    """A run that is not over. ``position``: in its queue, from 1; ``begins`` and ``ends``: seconds from now."""

    run: Run
    use: SlotUse | None
    waiting: Waiting | None
    position: int | None
    begins: float | None
    ends: float | None
    reason: str  # why it does not work yet

    @property
    def paused(self) -> bool:
        return self.waiting is not None and self.waiting.paused

    @property
    def slot(self) -> str:
        """The slot that it works on, or the device that it waits for."""
        if self.use is not None:
            return f"{self.use.device} {self.use.slot}"
        return self.waiting.device if self.waiting is not None else ""


def queue_rows(
    runs: Mapping[str, Run],
    uses: Sequence[SlotUse],
    queue: Sequence[Waiting],
    now: float,
    name: Callable[[Run], str] = lambda run: run.id,
) -> list[QueueRow[Run]]:
    """Runs at work first, then every queue in order, then runs that wait for no slot. ``now``: unix seconds.

    ``uses`` and ``queue`` are as ``queue.snapshot`` gives them; ``name``: how a reason calls a run.
    """
    slots = {use.run: use for use in uses if use.run}
    waiting = {entry.run: entry for entry in queue}
    order = {run: index for index, run in enumerate(waiting)}
    rows = [run for run in runs.values() if run.open]
    rows.sort(key=lambda run: (not run.live, order.get(run.id, len(order)), run.created, run.id))
    done = [run for run in runs.values() if run.state == State.DONE and run.wall is not None]
    times = forecast([_job(run, done, slots.get(run.id), waiting.get(run.id), now) for run in rows])
    found = []
    for run in rows:
        entry = waiting.get(run.id)
        same = [other for other in queue if entry and (other.host, other.device) == (entry.host, entry.device)]
        position = same.index(entry) + 1 if entry else None
        reason = run.reason if run.live else _reason(run, runs, entry, same, uses, name)
        found.append(QueueRow(run, slots.get(run.id), entry, position, *times[run.id], reason))
    return found


def expected_duration(run: RunFacts, done: Iterable[RunFacts]) -> float | None:
    """Median seconds of the latest finished runs of its stage, of the same experiment where there are any."""
    same = [other for other in done if other.stage == run.stage]
    own = [other for other in same if other.experiment == run.experiment] or same
    newest = sorted(own, key=lambda other: other.created)[-LATEST:]
    return median(other.wall or 0.0 for other in newest) if newest else None


def _job(run: RunFacts, done: Iterable[RunFacts], use: SlotUse | None, entry: Waiting | None, now: float) -> Job:
    left = expected_duration(run, done)
    if run.live and run.eta is not None:
        left = run.eta
    elif run.live and left is not None:
        left = max(left - (0.0 if run.started is None else max(now - run.started, 0.0)), 0.0)
    at = entry or use
    return Job(
        run.id,
        left,
        (at.host, at.device) if at else None,
        entry.count if entry else 1,
        use.slot if use else None,
        tuple(run.inputs.values()),
        run.live,
        entry is not None and entry.paused,
    )


def _reason(
    run: Run,
    runs: Mapping[str, Run],
    entry: Waiting | None,
    queue: Sequence[Waiting],
    uses: Sequence[SlotUse],
    name: Callable[[Run], str],
) -> str:
    """Why a run does not work yet: a person, an input, the runs before it or those on the slots. ``queue``: its own."""
    if entry is not None and entry.paused:
        return "paused by a person"
    if run.state == State.WAITING or entry is None:
        makers = [runs[maker] for maker in run.inputs.values() if maker in runs]
        missing = ", ".join(name(maker) for maker in makers if maker.state != State.DONE)
        return f"for {missing}" if missing and run.state == State.WAITING else run.reason
    slots = f"{entry.device} slot" if entry.count == 1 else f"one of {entry.count} {entry.device} slots"
    before = sum(other.order < entry.order and not other.paused for other in queue)
    if before:
        return f"for {'a ' if entry.count == 1 else ''}{slots}, {before} before it"
    holders = [
        name(runs[use.run]) if use.run in runs else use.run
        for use in uses
        if (use.host, use.device) == (entry.host, entry.device) and use.slot < entry.count and use.run
    ]
    return f"next for the {slots}" + (f", taken by {', '.join(holders)}" if holders else "")
