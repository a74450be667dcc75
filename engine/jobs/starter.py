"""Starts a run in a process that outlives its starter: a supervisor on this machine, or a Slurm job."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.errors import RunError
from engine.jobs import slurm
from engine.jobs.environment import stage_environment
from engine.runs import schema
from engine.runs.files import refused
from engine.runs.schema import RunInfo

HANDSHAKE = 60.0  # seconds that a supervisor may take to record itself on a busy machine
PATIENCE = 5.0  # seconds for a supervisor that has just recorded an end to be gone


def launch(
    folder: Path,
    argv: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    grace: float | None = None,
    info: RunInfo | None = None,
) -> None:
    """Start the run at ``folder`` and return when the supervisor, or Slurm, has taken it over; RunError when refused.

    ``argv`` is the stage's command (default: ``engine stage FOLDER``), ``environment`` a person's (default: this
    process's). Leaves no child process and may be called from a process with threads.
    """
    folder = Path(folder).absolute()
    info = info or RunInfo.read(folder)
    grace = info.grace if grace is None else grace
    if info.sbatch is not None:
        _submit([(folder, info)], argv or [], os.environ if environment is None else environment, grace)
        return
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "engine.jobs.supervisor", str(folder), f"--ready={writer}", f"--grace={grace}"]
    try:
        helper = _helper([*command, "--", *(argv or [])], folder, writer, environment)
    except RunError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    helper.wait()  # it forks and exits at once, so the supervisor is no child of this process
    try:
        answer = _answer(reader)
    finally:
        os.close(reader)
    if answer is None:
        raise RunError(
            "its supervisor did not start", location=str(folder), remedy=f"See why in {folder / schema.CONSOLE}"
        )
    if answer:
        raise RunError(answer["cause"], location=answer["location"], remedy=answer["remedy"])


def _helper(
    command: Sequence[str], folder: Path, writer: int, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    try:
        console = (folder / schema.CONSOLE).open("ab")
    except OSError as error:
        raise refused(error, folder / schema.CONSOLE) from error
    with console:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=[writer],
                start_new_session=True,
                env=stage_environment(os.environ if environment is None else environment),
            )
        except OSError as error:  # of the system, not of the disk
            raise RunError(
                f"no process can be started for it: {error.strerror}",
                location=str(folder),
                remedy="End other processes, or raise the limits of this machine (ulimit -a), then try again.",
            ) from error


def launch_array(runs: Sequence[tuple[Path, RunInfo]]) -> None:
    """Submit runs of one stage with the same options of sbatch as one array of Slurm; RunError when refused."""
    _submit([(Path(folder).absolute(), info) for folder, info in runs], [], os.environ, runs[0][1].grace)


def _submit(
    runs: Sequence[tuple[Path, RunInfo]], argv: Sequence[str], environment: Mapping[str, str], grace: float
) -> None:
    """Submit the runs to Slurm, holding their locks so that no other process begins them meanwhile."""
    with ExitStack() as held:
        tasks = []
        for folder, info in runs:
            lock = schema.take_lock(folder, PATIENCE)  # a supervisor that has just recorded an end may still be exiting
            held.callback(os.close, lock)
            before, attempt = slurm.SlurmJob.read(folder), schema.next_attempt(folder)
            if before and before.attempt == attempt and before.living:
                raise schema.occupied(folder)
            tasks.append(slurm.Task(folder, info, attempt, argv, grace))
        slurm.submit(tasks, environment)
        for task in tasks:
            schema.begin_attempt(task.folder, task.attempt)


def _answer(reader: int) -> dict[str, str] | None:
    """The supervisor's answer: {} when it has taken over, else its error; None when it died or is too slow."""
    answer, deadline = b"", time.monotonic() + HANDSHAKE
    while select.select([reader], [], [], max(deadline - time.monotonic(), 0))[0]:
        part = os.read(reader, 4096)
        if not part:
            break
        answer += part
    return json.loads(answer) if answer else None
