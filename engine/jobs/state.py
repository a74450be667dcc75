"""The state of a run, derived from the records of its supervisor and its stage and from whether they are alive.

Silence proves nothing: a run counts as dead only when its processes are gone or its machine was restarted.
"""

import signal
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.jobs.silence import age, changed_at, silence
from engine.jobs.slurm import SlurmJob
from engine.runs.identity import Identity, boot, host
from engine.runs.schema import PROCESS, RUN, SUMMARY, Exit, Process, QueueOverride, RunInfo, Summary

UNSTARTED = 10.0  # seconds in which a supervisor has to take up a planned run
SILENT = 30.0  # seconds without a heartbeat after which a living run is stalled
SILENT_ELSEWHERE = 120.0  # the same on another machine, whose file cache may lag behind
STOPPED = 143  # exit status of a stage that was asked to stop and wrote its checkpoint
STARTING = "is being started"
WAITING, QUEUED, RUNNING = "waiting", "queued", "running"  # phases in process.json


class State(StrEnum):
    """Derived anew whenever it is asked for, never stored."""

    WAITING = "WAITING"  # for the runs whose artifacts it needs
    QUEUED = "QUEUED"  # for a free slot
    RUNNING = "RUNNING"
    STALLED = "STALLED"  # alive, but without a heartbeat
    DONE = "DONE"
    FAILED = "FAILED"
    STOPPED = "STOPPED"  # by a person, with its work saved
    KILLED = "KILLED"  # by a signal
    LOST = "LOST"  # its process or machine is gone and nothing recorded an end

    @property
    def living(self) -> bool:
        """Whether a process works or waits for it."""
        return self in (State.WAITING, State.QUEUED, State.RUNNING, State.STALLED)


INTERRUPTED = (State.STOPPED, State.KILLED, State.LOST)  # such a run can go on where it was


@dataclass(frozen=True)
class Status:
    """A state and, in a line, the reason for it."""

    state: State
    reason: str = ""

    @property
    def unstarted(self) -> bool:
        """Whether it was created a moment ago and no supervisor has taken it up yet."""
        return self.state is State.WAITING and self.reason == STARTING


def status(folder: Path, info: RunInfo, now: float | None = None) -> Status:
    """The status of the run at ``folder``. ``now``: unix seconds."""
    first = _examine(folder, info, time.time() if now is None else now)
    # The run may have moved on between two files that were read; a second look finds its end or its new attempt.
    return _examine(folder, info, time.time() if now is None else now) if first.state is State.LOST else first


def _examine(folder: Path, info: RunInfo, now: float) -> Status:
    end = Exit.read(folder)
    if end:
        return ended(end)
    process, summary = Process.read(folder), Summary.read(folder)
    job = None if info.sbatch is None else SlurmJob.read(folder)
    if process is None and summary is None and job is None:
        times = (info.created,) if info.host == host() else (info.created, changed_at(folder / RUN))
        if age(now, *times) < UNSTARTED:
            return Status(State.WAITING, STARTING)
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
        return _waiting(folder, process)
    alive = [identity.alive for identity in (supervisor, stage) if identity]
    if summary and summary.ended and not (supervisor and supervisor.alive):
        return _ended_unrecorded(summary)  # its process may still be exiting
    if any(alive):
        return _at_work(process, summary, now)
    if None in alive:
        return _elsewhere(stage or supervisor, silence(folder, _beats(process, summary), now))
    return _lost(stage or supervisor)


def ended(end: Exit) -> Status:
    """The status that follows from an end that a supervisor recorded."""
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
    """The cause, without the remedy below it."""
    return text.split("\n", 1)[0]


def signal_name(number: int) -> str:
    """``signal 9 (SIGKILL)``."""
    known = {item.value: item.name for item in signal.Signals}
    return f"signal {number} ({known[number]})" if number in known else f"signal {number}"


def _waiting(folder: Path, process: Process) -> Status:
    if process.supervisor.alive is False:
        return _lost(process.supervisor)
    where = "" if process.supervisor.here else f" on {process.supervisor.host}"
    state = State(process.phase.upper())
    if QueueOverride.read(folder).paused:
        return Status(state, f"paused by a person{where}")
    return Status(state, f"for {'its inputs' if state is State.WAITING else 'a free slot'}{where}")


def _submitted(job: SlurmJob) -> Status:
    """Submitted to Slurm, but its supervisor has not begun."""
    state = job.state()
    known = f": {state.lower()}" if state else ""
    if job.living:
        return Status(State.QUEUED, f"as Slurm job {job.id}{known}")
    return Status(State.LOST, f"Slurm job {job.id} ended before it began{known}")


def _at_work(process: Process | None, summary: Summary | None, now: float) -> Status:
    silent = min(age(now, beat) for beat in _beats(process, summary).values())
    if silent < SILENT:
        return Status(State.RUNNING, "" if process is None or process.supervisor.alive else "its supervisor is gone")
    phase = summary.phase if summary and summary.phase else "starting"
    return Status(State.STALLED, f"alive, but silent for {silent:.0f} s; last: {phase}")


def _elsewhere(identity: Identity | None, silent: float) -> Status:
    """For a process of another machine, the heartbeat is the only evidence."""
    machine = identity.host if identity else "another machine"
    if silent < SILENT_ELSEWHERE:
        return Status(State.RUNNING, f"on {machine}")
    return Status(State.STALLED, f"on {machine}, silent for {silent:.0f} s; only that machine knows whether it lives")


def _beats(process: Process | None, summary: Summary | None) -> dict[str, float]:
    """File -> the time that its writer recorded in it."""
    return {
        **({PROCESS: process.t} if process else {}),
        **({SUMMARY: summary.hb} if summary else {}),
    }


def _ended_unrecorded(summary: Summary) -> Status:
    """No supervisor recorded the end, but the stage reported it."""
    if summary.ended == "done":
        return Status(State.DONE)
    return Status(State.STOPPED if summary.ended == "stopped" else State.FAILED, first_line(summary.error))


def _lost(identity: Identity | None) -> Status:
    if identity and identity.here and identity.boot != boot():
        return Status(State.LOST, "the machine was started again meanwhile")
    return Status(State.LOST, "its process is gone and recorded no end")
