"""Processes that the kernel killed for lack of memory, from the counters of this process's control group."""

from pathlib import Path

PROC_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def oom_kills(own: Path = PROC_CGROUP, root: Path = CGROUPS) -> int | None:
    """Processes of this process's memory group that were killed for lack of memory so far; None when not readable.

    Version 2 of control groups keeps the number in ``memory.events``, version 1 in ``memory.oom_control``.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        below = path.lstrip("/")
        if "memory" in controllers.split(","):
            count = _count(root / "memory" / below / "memory.oom_control")
        elif not controllers:
            count = _count(root / below / "memory.events")
        else:
            continue
        if count is not None:
            return count
    return None


def _count(file: Path) -> int | None:
    try:
        facts = dict(line.split(maxsplit=1) for line in file.read_text().splitlines() if " " in line)
    except OSError:
        return None
    return int(facts["oom_kill"]) if facts.get("oom_kill", "").isdigit() else None
