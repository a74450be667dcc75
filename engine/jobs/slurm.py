"""A run as a Slurm job: submitted with ``sbatch``, its supervisor works inside the allocation.

A job starts after the jobs of its inputs have ended, well or not; its supervisor then checks how. Submitting and
computing machines share the folder of runs and nothing else.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RunError
from engine.jobs.environment import package_path
from engine.runs import schema
from engine.runs.schema import Record

POLL_EVERY = 10.0  # seconds between two queries about one job
PATIENCE = 20.0  # seconds that a Slurm command may take
LIVING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "RUNNING", "COMPLETING", "STOPPED"}
_states: dict[str, tuple[float, str | None]] = {}  # job -> time and result of the latest query


@dataclass(frozen=True)
class SlurmJob(Record):
    """The job that was submitted for an attempt."""

    FILE = "job.json"

    id: str
    attempt: int

    def state(self) -> str | None:
        """Slurm's name of its state, "" when Slurm has forgotten it, None when Slurm cannot be queried here."""
        queried, state = _states.get(self.id, (-POLL_EVERY, None))
        if time.monotonic() - queried >= POLL_EVERY:
            state = _query(self.id)
            _states[self.id] = (time.monotonic(), state)
        return state

    @property
    def living(self) -> bool:
        """Whether it waits or works, as far as is known."""
        state = self.state()
        return state is None or state in LIVING

    def cancel(self, kill: bool = False) -> None:
        """Have its supervisor stop or kill the stage; a job that has not begun is removed from the queue."""
        _states.pop(self.id, None)
        _run(["scancel", "--batch", f"--signal={'USR1' if kill else 'TERM'}", self.id])

    def withdraw(self) -> None:
        """Remove it from the queue."""
        _states.pop(self.id, None)
        _run(["scancel", "--state=PENDING", self.id])


def submit(
    folder: Path,
    info: schema.RunInfo,
    attempt: int,
    argv: Sequence[str],
    environment: Mapping[str, str],
    grace: float,
) -> SlurmJob:
    """Submit the run with the options of ``info.sbatch``. RunError when Slurm refuses."""
    makers = [SlurmJob.read(folder.parent / run) for run in info.inputs.values()]
    before = [job.id for job in makers if job is not None and job.living]
    command = [sys.executable, "-m", "engine.jobs.supervisor", str(folder), "--stay", f"--grace={grace}", "--", *argv]
    script = f"#!/bin/sh\nexec {shlex.join(command)}\n"
    arguments = [
        *("sbatch", "--parsable", f"--job-name={info.id}", f"--output={folder / schema.CONSOLE}"),
        *("--open-mode=append", "--no-requeue", *(info.sbatch or ())),
        *([f"--dependency=afterany:{':'.join(before)}"] if before else []),
    ]
    answer = _run(arguments, script, {**environment, "PYTHONPATH": package_path(environment)})
    job = SlurmJob(answer.strip().split(";")[0], attempt)
    job.write(folder)
    return job


def _query(job: str) -> str | None:
    try:
        return _run(["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]).strip()
    except RunError as error:
        return "" if "Invalid job id" in error.cause else None


def _run(arguments: Sequence[str], text: str = "", environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            arguments, input=text, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except FileNotFoundError as error:
        raise RunError(
            f"there is no {arguments[0]} on this machine",
            location="launcher=slurm",
            remedy="Start it on a machine of the cluster that has Slurm's commands, or choose launcher=local.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"{arguments[0]} did not answer within {PATIENCE:.0f} s",
            location="launcher=slurm",
            remedy="See whether Slurm's controller is there: sinfo",
        ) from error
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.returncode}")
        raise RunError(
            f"{arguments[0]} refused: {reason.strip()}",
            location="launcher=slurm",
            remedy="Check launcher.slurm against what the cluster offers: sinfo",
        )
    return done.stdout
