"""How a supervisor records the end of an attempt: ``exit.json``, with a reason of one line that a person can act on."""

import os
import signal
from dataclasses import asdict
from pathlib import Path

from engine.jobs.state import STOPPED, signal_name
from engine.runs.files import free_bytes, refused, to_line
from engine.runs.schema import CONSOLE, EXIT, Exit, Summary
from engine.runs.text import clean

ROOM = 4096  # bytes reserved for exit.json, so that an end can be recorded on a full disk
STATUSES = {"done": 0, "stopped": STOPPED, "failed": 1}  # of Summary.ended
TAIL = 4096  # bytes of the console's end that are searched for a reason


def reserve(folder: Path) -> None:
    """Allocate exit.json now: the disk may be full when the attempt ends."""
    try:
        _reserved(folder).write_bytes(b" " * ROOM)
    except OSError as error:
        raise refused(error, _reserved(folder)) from error


def record(folder: Path, end: Exit) -> None:
    """Write exit.json into the reserved file, whole or not at all."""
    with _reserved(folder).open("r+b") as file:
        file.write(to_line(asdict(end)))
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    _reserved(folder).replace(folder / EXIT)


def recorded(folder: Path, attempt: int) -> int | None:
    """The exit status that belongs to the end that the stage recorded by itself in this attempt; None without one."""
    summary = Summary.read(folder)
    return None if summary is None or summary.attempt != attempt else STATUSES.get(summary.ended)


def why_stopped(code: int | None, number: int | None, request: str, grace: float) -> str:
    """Why a stage ended after a ``request`` (stop or kill); empty when it ended for another reason."""
    if number == signal.SIGKILL:
        if request == "kill":
            return "killed on request"
        return f"did not end within {grace:g} s of the request to stop, so it was killed"
    if number == signal.SIGTERM:
        return "stopped on request before it could save anything"
    return "stopped on request" if code == STOPPED else ""


def why_ended(folder: Path, attempt: int, code: int | None, number: int | None, oom_at: int | None) -> str:
    """Why a stage ended without a request. ``oom_at``: its peak memory in bytes if the kernel killed it for that."""
    if code == 0:
        return ""
    if oom_at is not None:
        return f"out of memory: the kernel killed it at {oom_at / 2**30:.1f} GiB"
    if number == signal.SIGKILL:
        return "signal 9 (SIGKILL) from outside; often the kernel, short of memory"
    if number is not None:
        return signal_name(number)
    if code == STOPPED:
        return "stopped"
    summary = Summary.read(folder)
    reported = summary.error if summary and summary.attempt == attempt else ""
    if not reported and free_bytes(folder) < 2 * ROOM:
        return f"exit status {code}; the disk is full"
    return reported or last_line(folder / CONSOLE) or f"exit status {code}"


def last_line(console: Path) -> str:
    """The last line of a console that is not blank, cleaned."""
    with console.open("rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line for line in map(clean, reversed(lines)) if line.strip()), "").strip()


def _reserved(folder: Path) -> Path:
    return folder / f".{EXIT}"
