"""The memory of this process's control group: where it is described, its limit and what is in use."""

from collections.abc import Iterator
from pathlib import Path

PROC_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
# Version -> files of the limit and of the use, and the line of memory.stat with the file cache that can be dropped.
FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def memory_groups(own: Path = PROC_CGROUP, root: Path = CGROUPS) -> Iterator[tuple[int, Path, Path]]:
    """(version, top folder, folder) of this process's memory groups; nothing where they are not readable."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield 1, root / "memory", root / "memory" / path.lstrip("/")
        elif not controllers:
            yield 2, root, root / path.lstrip("/")


def memory_limit(own: Path = PROC_CGROUP, root: Path = CGROUPS) -> tuple[int, float, Path] | None:
    """(version, bytes, folder) of the smallest limit of this process's group or of one above it; None without one."""
    found = []
    for version, top, folder in memory_groups(own, root):
        for group in (folder, *folder.parents):
            limit = number_in(group / FILES[version][0])
            if limit is not None and limit < 1 << 60:  # version 1 writes a huge number where there is none
                found.append((version, limit, group))
            if group == top:
                break
    return min(found, key=lambda one: one[1], default=None)


def memory_in_use(version: int, group: Path) -> float | None:
    """Bytes that a group has in use, without the file cache that the kernel can drop; None when not readable."""
    _, current, dropped = FILES[version]
    total = number_in(group / current)
    if total is None:
        return None
    return total - (facts_in(group / "memory.stat").get(dropped) or 0)


def number_in(file: Path) -> float | None:
    """The number that is all of a file; None when there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return float(text) if text.isdigit() else None


def facts_in(file: Path) -> dict[str, int]:
    """Name -> number of a file with lines of both; empty when it cannot be read."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(maxsplit=1) for line in lines if " " in line)
    return {name: int(value) for name, value in pairs if value.isdigit()}
