"""Identifies a process by machine, boot, number and start time, because the kernel reuses numbers."""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import RunError

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """A process, distinct from all others that have or had its number. ``start`` is in the kernel's own format."""

    host: str
    boot: str
    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """The living process ``pid`` of this machine."""
        found = look(pid)
        if found is None:
            raise RunError(f"process {pid} is gone", remedy="Start it again.")
        return cls(host(), boot(), pid, found[1])

    @property
    def here(self) -> bool:
        """Whether it belongs to this machine, so that it can be examined."""
        return self.host == host()

    @property
    def alive(self) -> bool | None:
        """Whether it is alive; None for a process of another machine, which cannot be examined."""
        if not self.here:
            return None
        if self.boot != boot():
            return False
        found = look(self.pid)
        return found is not None and found[0] not in "ZX" and found[1] == self.start


def host() -> str:
    """This machine's name."""
    return os.uname().nodename


@functools.cache
def boot() -> str:
    """The kernel's id of this start of the machine; empty where it has none."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def look(pid: int) -> tuple[str, str] | None:
    """State letter and start time of process ``pid``; None when there is none."""
    if not (PROC / "self/stat").exists():
        return _look_with_ps(pid)
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = text[text.rindex(")") + 2 :].split()  # the name itself may hold blanks and parentheses
    return after_name[0], after_name[19]


def _look_with_ps(pid: int) -> tuple[str, str] | None:
    """The same from ``ps``, for kernels without /proc; the start time is a date to the second."""
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        check=False,
    ).stdout.split(maxsplit=1)
    return (answer[0][0], answer[1].strip()) if len(answer) == 2 else None
