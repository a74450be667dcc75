"""Hands a run to a process that outlives its starter: to a supervisor on this machine, or to Slurm.

launch(folder)      returns when the supervisor, or Slurm, has taken the run over
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
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
) -> None:
    """Have the run at ``folder`` worked on by a process of its own; RunError when that is refused.

    ``argv`` is the stage's command (default: ``engine stage FOLDER``), ``environment`` what a person has set (default:
    this process's). Leaves no child behind and may be called from a process with threads.
    """
    folder = Path(folder).absolute()
    info = RunInfo.read(folder)
    grace = info.grace if grace is None else grace
    if info.sbatch is not None:
        _submit(folder, info, argv or [], os.environ if environment is None else environment, grace)
        return
    told, tell = os.pipe()
    command = [sys.executable, "-m", "engine.jobs.supervisor", str(folder), f"--ready={tell}", f"--grace={grace}"]
    try:
        with (folder / schema.CONSOLE).open("ab") as console:
            helper = subprocess.Popen(
                [*command, "--", *(argv or [])],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=[tell],
                start_new_session=True,
                env=stage_environment(os.environ if environment is None else environment),
            )
    except OSError as error:
        os.close(told)
        raise refused(error, folder / schema.CONSOLE) from error
    finally:
        os.close(tell)
    helper.wait()  # it forks and is gone at once; the supervisor is nobody's child
    try:
        answer = _answer(told)
    finally:
        os.close(told)
    if answer is None:
        raise RunError(
            "its supervisor did not start", location=str(folder), remedy=f"See why in {folder / schema.CONSOLE}"
        )
    if answer:
        raise RunError(answer["cause"], location=answer["place"], remedy=answer["remedy"])


def _submit(folder: Path, info: RunInfo, argv: Sequence[str], environment: Mapping[str, str], grace: float) -> None:
    """Hand the run to Slurm, holding its lock so that nobody else begins it meanwhile."""
    lock = schema.take_lock(folder, PATIENCE)  # the supervisor that has just recorded an end may not be gone yet
    try:
        before = slurm.SlurmJob.read(folder)
        attempt = schema.next_attempt(folder)
        if before and before.attempt == attempt and before.living:
            raise schema.occupied(folder)
        slurm.submit(folder, info, attempt, argv, environment, grace)
        schema.archive_exit(folder)
    finally:
        os.close(lock)


def _answer(told: int) -> dict[str, str] | None:
    """What the supervisor says: {} when it has taken over, else its error; None when it died or is too slow."""
    words, deadline = b"", time.monotonic() + HANDSHAKE
    while select.select([told], [], [], max(deadline - time.monotonic(), 0))[0]:
        part = os.read(told, 4096)
        if not part:
            break
        words += part
    return json.loads(words) if words else None
