"""When will it begin, when will it be done: what waits, laid out over the slots from the times that such runs took.

Pure functions; seconds from now. What nothing is known of stays None, and so does everything behind it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

LATEST = 5  # runs of a kind whose times tell the next one's

Device = tuple[str, str]  # host, device


@dataclass(frozen=True)
class Job:
    """A run that is not over. ``left``: seconds of work that it has before it, None when nothing tells."""

    run: str
    left: float | None
    device: Device | None = None  # None: needs no slot
    count: int = 1  # slots that it may choose from
    slot: int | None = None  # the one it works on
    inputs: tuple[str, ...] = ()  # runs whose artifacts it needs; those that are no job here are there
    at_work: bool = False
    paused: bool = False


@dataclass(frozen=True)
class Ended:
    """A finished run, as an example for the next ones."""

    stage: str
    experiment: str
    created: float  # unix seconds
    wall: float  # seconds


def usual(stage: str, experiment: str, ended: Iterable[Ended]) -> float | None:
    """The middle of the times of the latest runs of a stage, of the same experiment where it has any."""
    same = [run for run in ended if run.stage == stage]
    own = [run for run in same if run.experiment == experiment] or same
    newest = sorted(own, key=lambda run: run.created)[-LATEST:]
    return median(run.wall for run in newest) if newest else None


def forecast(jobs: Sequence[Job]) -> dict[str, tuple[float | None, float | None]]:
    """Run -> (begins, ends), both in seconds from now. ``jobs`` in the order of their turns.

    Of what can begin first the earliest turn does, as in the queue. A paused run and what needs it have no times.
    """
    told: dict[str, tuple[float | None, float | None]] = {}
    free: dict[tuple[Device, int], float] = {}  # slot -> seconds until it is free
    for job in jobs:
        if job.at_work:
            told[job.run] = (0.0, job.left)
            if job.device is not None and job.slot is not None:
                free[job.device, job.slot] = math.inf if job.left is None else job.left
    left = [job for job in jobs if not job.at_work]
    alike = len({(job.device, job.count) for job in left}) == 1
    open_runs = {job.run for job in jobs}
    while left:
        start, place = math.inf, 0
        for candidate, job in enumerate(left):
            soonest = _slot(job, free)[0]
            begins = max(_ready(job, told, open_runs), soonest)
            if begins < start:
                start, place = begins, candidate
            if alike and start == soonest:  # nobody can begin before a slot is free
                break
        if math.isinf(start):
            return told | {job.run: (None, None) for job in left}
        job = left.pop(place)
        end = None if job.left is None else start + job.left
        told[job.run] = (start, end)
        if job.device is not None:
            free[job.device, _slot(job, free)[1]] = math.inf if end is None else end
    return told


def _ready(job: Job, told: Mapping[str, tuple[float | None, float | None]], open_runs: set[str]) -> float:
    """When the inputs of a job are there; infinite while that is not known."""
    if job.paused:
        return math.inf
    ends = [told.get(run, (None, None))[1] for run in job.inputs if run in open_runs]
    return max((math.inf if end is None else end for end in ends), default=0.0)


def _slot(job: Job, free: Mapping[tuple[Device, int], float]) -> tuple[float, int]:
    """(seconds, slot) of the slot that is free first."""
    if job.device is None:
        return 0.0, 0
    return min((free.get((job.device, slot), 0.0), slot) for slot in range(job.count))
