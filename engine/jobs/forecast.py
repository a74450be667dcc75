"""When waiting runs will begin and end: they are laid out over the slots with the times that such runs took before.

Pure functions; seconds from now. Whatever depends on an unknown time is None.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Device = tuple[str, str]  # host, device
Times = tuple[float | None, float | None]  # begins, ends


@dataclass(frozen=True)
class Job:
    """A run that is not over. ``left``: seconds of work that remain, None when unknown."""

    run: str
    left: float | None
    device: Device | None = None  # None: needs no slot
    count: int = 1  # slots that it may choose from
    slot: int | None = None  # the one it works on
    inputs: tuple[str, ...] = ()  # runs that it needs; those without a job are finished
    at_work: bool = False
    paused: bool = False


def forecast(jobs: Sequence[Job]) -> dict[str, Times]:
    """Run -> (begins, ends). ``jobs`` in the order of the queue.

    The job that can begin first does, the earlier in the queue among equals. A paused job and those that need it
    have no times.
    """
    times: dict[str, Times] = {}
    free: dict[tuple[Device, int], float] = {}  # slot -> seconds until it is free
    for job in jobs:
        if job.at_work:
            times[job.run] = (0.0, job.left)
            if job.device is not None and job.slot is not None:
                free[job.device, job.slot] = math.inf if job.left is None else job.left
    left = [job for job in jobs if not job.at_work]
    alike = len({(job.device, job.count) for job in left}) == 1
    open_runs = {job.run for job in jobs}
    while left:
        start, chosen = math.inf, 0
        for candidate, job in enumerate(left):
            soonest = _slot(job, free)[0]
            begins = max(_ready(job, times, open_runs), soonest)
            if begins < start:
                start, chosen = begins, candidate
            if alike and start == soonest:  # no job can begin before a slot is free
                break
        if math.isinf(start):
            return times | {job.run: (None, None) for job in left}
        job = left.pop(chosen)
        end = None if job.left is None else start + job.left
        times[job.run] = (start, end)
        if job.device is not None:
            free[job.device, _slot(job, free)[1]] = math.inf if end is None else end
    return times


def _ready(job: Job, times: Mapping[str, Times], open_runs: set[str]) -> float:
    """When the inputs of a job are there; infinite while that is unknown."""
    if job.paused:
        return math.inf
    ends = [times.get(run, (None, None))[1] for run in job.inputs if run in open_runs]
    return max((math.inf if end is None else end for end in ends), default=0.0)


def _slot(job: Job, free: Mapping[tuple[Device, int], float]) -> tuple[float, int]:
    """(seconds, slot) of the slot that is free first."""
    if job.device is None:
        return 0.0, 0
    return min((free.get((job.device, slot), 0.0), slot) for slot in range(job.count))
