"""Writes that leave whole files or none, errors of a disk that refuses, and locks.

``write_json`` replaces a small record, ``Replacing`` a large file or folder; both write under a scratch name, sync and
rename. ``hold`` takes a lock that the kernel releases when its last holder is gone for whatever reason; ``held`` tests
whether a process has it.
"""

import errno
import fcntl
import json
import math
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.errors import RunError
from engine.runs.text import clean_values

SCRATCH = ".scratch"  # folder of half-written files, beside the finished ones
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OTHER_FOLDER = "choose another folder with --runs DIR"
NO_ROOM = 1 << 20  # bytes; with less than this left, any exception of a library counts as a full disk


def free_bytes(path: Path) -> int:
    """Free space where ``path`` is or would be."""
    return shutil.disk_usage(_nearest(path)).free


def refused(error: BaseException, path: Path, other: str = OTHER_FOLDER) -> RunError:
    """The error of a disk, quota or permission that does not allow ``path`` to be written.

    ``other`` is what can be chosen instead of a file outside of the runs.
    """
    number = error.errno if isinstance(error, OSError) else errno.ENOSPC
    what = _cause(error) if isinstance(error, OSError) else f"{os.strerror(errno.ENOSPC)} ({error})"
    resume = ", then go on with: engine resume ID" if other == OTHER_FOLDER else ""
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = f"Make {path.parent} writable, or {other}."
    elif number == errno.EFBIG:
        remedy = f"The size of a file is limited here: raise the limit (ulimit -f){resume}"
    elif number in FULL:
        free = "" if number == errno.EDQUOT else f"{path.parent} has {free_bytes(path) / 2**20:,.1f} MiB free. "
        remedy = f"{free}Make room (engine rm ID){resume}; or {other}."
    else:
        remedy = f"{other[0].upper()}{other[1:]}."
    return RunError(f"cannot be written: {what}", location=str(path), remedy=remedy)


def unreadable(error: OSError, path: Path) -> RunError:
    """The error of a file or folder that is there and cannot be read."""
    return RunError(
        f"cannot be read: {_cause(error)}", location=str(path), remedy="Choose another folder with --runs DIR."
    )


def require_folder(path: Path) -> None:
    """RunError where ``path`` is, or lies below, something that is no folder; one that does not exist is fine."""
    nearest = _nearest(path)
    if not nearest.is_dir():
        raise RunError(
            "is a file, not a folder", location=str(nearest), remedy="Choose another folder with --runs DIR."
        )


def _nearest(path: Path) -> Path:
    """``path``, or the nearest of its parents that exists."""
    while not os.path.exists(path) and path != path.parent:  # unlike Path.exists it raises nothing
        path = path.parent
    return path


def _cause(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


def make_folder(path: Path) -> Path:
    """``path``, a folder that now exists."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(error, path) from error
    return path


def finite(value: Any) -> Any:
    """``value`` with NaN and infinities as the strings "nan", "inf" and "-inf", which JSON can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def to_line(value: Any) -> bytes:
    """``value`` as one line of JSON, without the line's end."""
    return json.dumps(finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "replace"
    )


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Replace ``path`` by ``value`` so that a reader sees the old or the new record, never a part of one.

    ``sync=False`` for records that are rewritten every second: after a power cut the last ones may be missing.
    """
    replace(path, to_line(value) + b"\n", sync=sync)


def replace(path: Path, data: bytes, *, sync: bool = True) -> None:
    """The same with a file's bytes."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise refused(error, path) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """The record at ``path`` with its texts cleaned; None when there is none or it cannot be read as one."""
    try:
        data = path.read_bytes()
        value = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return value if is_plain(data) else clean_values(value)


def is_plain(data: bytes) -> bool:
    """Whether JSON text cannot hold a character that has to be cleaned: much faster than searching for one."""
    return data.isascii() and b"\\" not in data and b"\x7f" not in data


class Replacing:
    """``with Replacing(final) as scratch:`` write a file or folder at ``scratch``; it appears at ``final`` when whole.

    After an exception nothing is left of the scratch file and an older ``final`` stays as it was.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.scratch = final.parent / SCRATCH / final.name

    def __enter__(self) -> Path:
        try:
            self.scratch.parent.mkdir(parents=True, exist_ok=True)
            discard(self.scratch)
        except OSError as error:
            raise refused(error, self.final) from error
        return self.scratch

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._publish()
            return
        by_disk = isinstance(error, OSError) and error.errno in FULL
        # Libraries report a full disk by exceptions of their own, so the free space decides.
        by_library = isinstance(error, Exception) and free_bytes(self.final.parent) < NO_ROOM
        discard(self.scratch)
        if (by_disk or by_library) and not isinstance(error, RunError):
            raise refused(error, self.final) from error

    def _publish(self) -> None:
        if not self.scratch.exists():
            raise RuntimeError(f"nothing was written to {self.scratch}, which was to become {self.final}")
        try:
            for part in [self.scratch, *self.scratch.rglob("*")]:
                sync(part)
            if self.final.is_dir():
                shutil.rmtree(self.final)
            self.scratch.replace(self.final)
            sync(self.final.parent)
        except OSError as error:
            discard(self.scratch)
            raise refused(error, self.final) from error


def sync(path: Path) -> None:
    """Return once ``path`` (file or folder) is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(path: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def hold(path: Path) -> int | None:
    """Take the lock at ``path``: a descriptor that holds it until it and its inherited copies are closed, or None."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise refused(error, path) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError as error:
        os.close(handle)
        raise RunError(
            f"cannot be locked: {error.strerror}",
            location=str(path),
            remedy="The file system must support flock: choose a folder on a local disk with --runs DIR.",
        ) from error
    return handle


def held(path: Path) -> bool:
    """Whether a process holds the lock at ``path``. The test shares the lock for a moment, so takers retry."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
