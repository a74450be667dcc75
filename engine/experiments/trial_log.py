"""Optuna's file of a search, one record per line: whole, or cut where a write was interrupted.

A process that dies, or a disk that is full, leaves a last line without an end. The next process then appends its first
record to that fragment, cannot read the joined line, and does nothing more. What follows the last whole line was
therefore never acted upon, and cutting it loses nothing. Any other unreadable line may be a result that was lost.
"""

import json
import os
from pathlib import Path

from engine.errors import RunError
from engine.runs.files import refused, unreadable

RECORD = b'{"op_code":'  # how Optuna begins every line


def repair(path: Path) -> str:
    """Cut an interrupted last write off; what was cut, in a line, or nothing. RunError for damage within the file.

    The caller holds the lock of the search.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise unreadable(error, path) from error
    lines = data.splitlines(keepends=True)
    bad = next((index for index, line in enumerate(lines) if not _is_record(line)), None)
    if bad is None:
        return ""
    after = lines[bad + 1 :]
    if len(after) > (1 if _is_joined(lines[bad]) else 0):
        raise damaged(path, f"line {bad + 1} of {len(lines)} is no record of a trial")
    whole = sum(map(len, lines[:bad]))
    try:
        with path.open("r+b") as file:
            file.truncate(whole)  # at once, and it needs no space on a full disk
            os.fsync(file.fileno())
    except OSError as error:
        raise refused(error, path) from error
    return f"{path}: its last write was interrupted; cut after line {bad}, {len(data) - whole} bytes dropped"


def damaged(path: Path, cause: str) -> RunError:
    """The error of a file that no interrupted write explains."""
    return RunError(
        f"the trials of the search cannot be read: {cause}",
        location=str(path),
        remedy="Restore the file from a copy, or move it away to search anew: finished runs are reused.",
    )


def _is_record(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("op_code"), int)


def _is_joined(line: bytes) -> bool:
    """Whether a whole record follows a fragment on one line."""
    start = line.rfind(RECORD)
    return start > 0 and _is_record(line[start:])
