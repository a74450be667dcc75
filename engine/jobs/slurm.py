"""A run as a Slurm job: submitted with ``sbatch``, its supervisor works inside the allocation.

A job starts after the jobs of its inputs have ended, well or not; its supervisor then checks how. Submitting and
computing machines share the folder of runs and nothing else. The runs of a sweep are tasks of one array a stage.
"""

import os
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
    """The job, or task of an array (``12_3``), that was submitted for an attempt."""

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


@dataclass(frozen=True)
class Task:
    """An attempt of a run that is to be submitted; ``argv`` is the stage's command, empty for the usual one."""

    folder: Path
    info: schema.RunInfo
    attempt: int
    argv: Sequence[str]
    grace: float

    @property
    def command(self) -> str:
        """The shell command that does the run inside an allocation."""
        words = [sys.executable, "-m", "engine.jobs.supervisor", str(self.folder), "--stay", f"--grace={self.grace}"]
        return shlex.join([*words, "--", *self.argv])


def submit(tasks: Sequence[Task], environment: Mapping[str, str]) -> list[SlurmJob]:
    """Submit a run as a job, several as one array; options are those of the first one's ``info.sbatch``.

    It begins when the jobs of all inputs have ended. RunError when Slurm refuses.
    """
    first, several = tasks[0], len(tasks) > 1
    inputs = dict.fromkeys(task.folder.parent / run for task in tasks for run in task.info.inputs.values())
    makers = [SlurmJob.read(folder) for folder in inputs]
    before = [job.id for job in makers if job is not None and job.living]
    if several:
        arguments = [f"--job-name={first.info.stage}", f"--output={os.devnull}", f"--array=0-{len(tasks) - 1}"]
        script = _array_script(tasks)
    else:
        arguments = [f"--job-name={first.info.id}", f"--output={first.folder / schema.CONSOLE}"]
        script = f"exec {first.command}"
    arguments = [
        *("sbatch", "--parsable", *arguments, "--open-mode=append", "--no-requeue", *(first.info.sbatch or ())),
        *([f"--dependency=afterany:{':'.join(before)}"] if before else []),
    ]
    answer = _run(arguments, f"#!/bin/sh\n{script}\n", {**environment, "PYTHONPATH": package_path(environment)})
    number = answer.strip().split(";")[0]
    jobs = [SlurmJob(f"{number}_{k}" if several else number, task.attempt) for k, task in enumerate(tasks)]
    for task, job in zip(tasks, jobs, strict=True):
        job.write(task.folder)
    return jobs


def _array_script(tasks: Sequence[Task]) -> str:
    """Each task of an array does its own run, and prints into that run's console."""
    cases = [
        f"{k}) exec {task.command} >>{shlex.quote(str(task.folder / schema.CONSOLE))} 2>&1 ;;"
        for k, task in enumerate(tasks)
    ]
    return "\n".join(['case "$SLURM_ARRAY_TASK_ID" in', *cases, "esac"])


def _query(job: str) -> str | None:
    try:
        return _run(["squeue", "--noheader", "--array", "--states=all", "--format=%T", f"--jobs={job}"]).strip()
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
