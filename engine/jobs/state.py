"""How a run stands, told from facts: what its supervisor and its stage wrote down, and whether they live.

Silence alone proves nothing: a run is called dead only when its processes are gone or its machine was started again.
"""

import signal
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.jobs.slurm import SlurmJob
from engine.runs.identity import Identity, boot
from engine.runs.schema import Exit, Process, QueueOverride, RunInfo, Summary

UNSTARTED = 10.0  # seconds in which a planned run has to be taken up
SILENT = 30.0  # seconds without a heartbeat after which a living run is stalled
SILENT_ELSEWHERE = 120.0  # the same on another machine, whose clock and file cache may lag behind
STOPPED = 143  # exit status of a stage that was asked to stop and wrote its checkpoint
WAITING, QUEUED, RUNNING = "waiting", "queued", "running"  # phases in process.json


class State(StrEnum):
    """How a run stands."""

    WAITING = "WAITING"  # for the runs whose artifacts it needs
    QUEUED = "QUEUED"  # for a free slot
    RUNNING = "RUNNING"
    STALLED = "STALLED"  # alive, but not heard of
    DONE = "DONE"
    FAILED = "FAILED"
    STOPPED = "STOPPED"  # by a person, with its work saved
    KILLED = "KILLED"  # by a signal
    LOST = "LOST"  # its process or machine is gone and nothing recorded an end

    @property
    def living(self) -> bool:
        """Whether a process works or waits for it."""
        return self in (State.WAITING, State.QUEUED, State.RUNNING, State.STALLED)


@dataclass(frozen=True)
class Status:
    """A state and, in a line, why."""

    state: State
    reason: str = ""


def status(folder: Path, info: RunInfo, now: float | None = None) -> Status:
    """How the run at ``folder`` stands. ``now``: unix seconds."""
    first = _look(folder, info, time.time() if now is None else now)
    # Between two files that were read the run may have moved on; an end or a new attempt is there at a second look.
    return _look(folder, info, time.time() if now is None else now) if first.state is State.LOST else first


def _look(folder: Path, info: RunInfo, now: float) -> Status:
    end = Exit.read(folder)
    if end:
        return ended(end)
    process, summary = Process.read(folder), Summary.read(folder)
    job = None if info.sbatch is None else SlurmJob.read(folder)
    if process is None and summary is None and job is None:
        if now - info.created < UNSTARTED:
            return Status(State.WAITING, "is being started")
        return Status(State.LOST, "planned, but never started")
    attempt = max(process.attempt if process else 0, summary.attempt if summary else 0)
    if job and job.attempt > attempt:
        return _submitted(job)
    if process and process.attempt < attempt:
        process = None
    if summary and summary.attempt < attempt:
        summary = None
    stage = process.stage if process and process.stage else summary.process if summary else None
    supervisor = process.supervisor if process else None
    if process and process.phase in (WAITING, QUEUED):
        return _not_yet(folder, process)
    told = [identity.alive for identity in (supervisor, stage) if identity]
    if summary and summary.ended and not (supervisor and supervisor.alive):
        return _by_its_own_word(summary)  # its process may still be on its way out
    if any(told):
        return _at_work(process, summary, now)
    if None in told:
        return _elsewhere(stage or supervisor, now - _heard(process, summary))
    return _lost(stage or supervisor)


def ended(end: Exit) -> Status:
    """What an end that a supervisor recorded amounts to."""
    reason = first_line(end.reason)
    if end.code == 0:
        return Status(State.DONE)
    if end.by == "inputs":
        return Status(State.FAILED, reason)
    by_request = end.by == "user" and (end.signal == signal.SIGTERM or (end.signal is None and end.code is None))
    if end.code == STOPPED or by_request:
        return Status(State.STOPPED, reason)
    if end.signal is not None:
        return Status(State.KILLED, reason or signal_name(end.signal))
    return Status(State.FAILED, reason or f"exit status {end.code}")


def first_line(text: str) -> str:
    """What is wrong, without the remedy that stands below it."""
    return text.split("\n", 1)[0]


def signal_name(number: int) -> str:
    """``signal 9 (SIGKILL)``."""
    known = {item.value: item.name for item in signal.Signals}
    return f"signal {number} ({known[number]})" if number in known else f"signal {number}"


def _not_yet(folder: Path, process: Process) -> Status:
    if process.supervisor.alive is False:
        return _lost(process.supervisor)
    where = "" if process.supervisor.here else f" on {process.supervisor.host}"
    if QueueOverride.read(folder).paused:
        return Status(State(process.phase.upper()), f"paused by a person{where}")
    if process.phase == WAITING:
        return Status(State.WAITING, f"for its inputs{where}")
    return Status(State.QUEUED, f"for a free slot{where}")


def _submitted(job: SlurmJob) -> Status:
    """In Slurm's hands, but its supervisor has not begun."""
    said = job.state()
    if job.living:
        return Status(State.QUEUED, f"as Slurm job {job.id}" + (f": {said.lower()}" if said else ""))
    return Status(State.LOST, f"Slurm job {job.id} ended before it began" + (f": {said.lower()}" if said else ""))


def _at_work(process: Process | None, summary: Summary | None, now: float) -> Status:
    silent = now - _heard(process, summary)
    if silent < SILENT:
        return Status(State.RUNNING, "" if process is None or process.supervisor.alive else "its supervisor is gone")
    doing = summary.phase if summary and summary.phase else "starting"
    return Status(State.STALLED, f"alive, but silent for {silent:.0f} s; last: {doing}")


def _elsewhere(identity: Identity | None, silent: float) -> Status:
    """On another machine only the heartbeat tells."""
    machine = identity.host if identity else "another machine"
    if silent < SILENT_ELSEWHERE:
        return Status(State.RUNNING, f"on {machine}")
    return Status(State.STALLED, f"on {machine}, silent for {silent:.0f} s; whether it lives can be told there only")


def _heard(process: Process | None, summary: Summary | None) -> float:
    return max(process.t if process else 0.0, summary.hb if summary else 0.0)


def _by_its_own_word(summary: Summary) -> Status:
    """No supervisor recorded the end, but the stage said how it ended."""
    reason = first_line(summary.error)
    if summary.ended == "done":
        return Status(State.DONE)
    return Status(State.STOPPED if summary.ended == "stopped" else State.FAILED, reason)


def _lost(identity: Identity | None) -> Status:
    if identity and identity.here and identity.boot != boot():
        return Status(State.LOST, "the machine was started again meanwhile")
    return Status(State.LOST, "its process is gone and recorded no end")
