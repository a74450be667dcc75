"""A run as a job of Slurm: submitted with ``sbatch``, its supervisor works inside the allocation.

Jobs start after those of their inputs have ended, well or not: the supervisor then says which. Standard library and
Slurm's own commands only; the shared folder of runs is all that submitting and computing machines have in common.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from engine.errors import RunError
from engine.jobs.environment import package_path
from engine.runs import schema
from engine.runs.files import read_json, write_json

JOB = "job.json"
ASK_EVERY = 10.0  # seconds between two questions about one job
PATIENCE = 20.0  # seconds that one of Slurm's commands may take
LIVING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "RUNNING", "COMPLETING", "STOPPED"}
_heard: dict[str, tuple[float, str | None]] = {}  # job -> when asked, and what was said


@dataclass(frozen=True)
class SlurmJob:
    """``job.json``: the job that was submitted for an attempt."""

    id: str
    attempt: int

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        record = read_json(folder / JOB) or {}
        job, attempt = record.get("id"), record.get("attempt")
        return cls(job, attempt) if isinstance(job, str) and isinstance(attempt, int) else None

    def state(self) -> str | None:
        """Slurm's word for how it stands, "" when Slurm knows it no more, None when Slurm cannot be asked here."""
        asked, said = _heard.get(self.id, (-ASK_EVERY, None))
        if time.monotonic() - asked >= ASK_EVERY:
            said = _ask(self.id)
            _heard[self.id] = (time.monotonic(), said)
        return said

    @property
    def living(self) -> bool:
        """Whether it waits or works, as far as is known."""
        said = self.state()
        return said is None or said in LIVING

    def cancel(self, kill: bool = False) -> None:
        """Tell the supervisor inside to stop or kill its stage; a job that has not begun is taken out of the queue."""
        _heard.pop(self.id, None)
        _run(["scancel", "--batch", f"--signal={'USR1' if kill else 'TERM'}", self.id])

    def withdraw(self) -> None:
        """Take it out of the queue."""
        _heard.pop(self.id, None)
        _run(["scancel", "--state=PENDING", self.id])


def submit(
    folder: Path,
    info: schema.RunInfo,
    attempt: int,
    argv: Sequence[str],
    environment: Mapping[str, str],
    grace: float,
) -> SlurmJob:
    """Hand the run to Slurm with the options of sbatch that ``info.sbatch`` has. RunError when Slurm refuses."""
    makers = [SlurmJob.read(folder.parent / run) for run in info.inputs.values()]
    before = [job.id for job in makers if job is not None and job.living]
    command = [sys.executable, "-m", "engine.jobs.supervisor", str(folder), "--stay", f"--grace={grace}", "--", *argv]
    script = f"#!/bin/sh\nexec {shlex.join(command)}\n"
    words = [
        *("sbatch", "--parsable", f"--job-name={info.id}", f"--output={folder / schema.CONSOLE}"),
        *("--open-mode=append", "--no-requeue", *(info.sbatch or ())),
        *([f"--dependency=afterany:{':'.join(before)}"] if before else []),
    ]
    answer = _run(words, script, {**environment, "PYTHONPATH": package_path(environment)})
    job = SlurmJob(answer.strip().split(";")[0], attempt)
    write_json(folder / JOB, asdict(job))
    return job


def _ask(job: str) -> str | None:
    try:
        return _run(["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]).strip()
    except RunError as error:
        return "" if "Invalid job id" in error.cause else None


def _run(words: Sequence[str], text: str = "", environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            words, input=text, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except FileNotFoundError as error:
        raise RunError(
            f"there is no {words[0]} on this machine",
            location="launcher=slurm",
            remedy="Start it on a machine of the cluster that has Slurm's commands, or choose launcher=local.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"{words[0]} did not answer within {PATIENCE:.0f} s",
            location="launcher=slurm",
            remedy="See whether Slurm's controller is there: sinfo",
        ) from error
    if done.returncode:
        told = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.returncode}")
        raise RunError(
            f"{words[0]} refused: {told.strip()}",
            location="launcher=slurm",
            remedy="Check launcher.slurm against what the cluster offers: sinfo",
        )
    return done.stdout
