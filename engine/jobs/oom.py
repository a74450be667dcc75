"""Processes that the kernel killed for lack of memory, from the counters of this process's control group."""

from pathlib import Path

from engine.jobs.cgroup import CGROUPS, PROC_CGROUP, facts_in, memory_groups

COUNTERS = {1: "memory.oom_control", 2: "memory.events"}  # version of control groups -> file


def oom_kills(own: Path = PROC_CGROUP, root: Path = CGROUPS) -> int | None:
    """Processes of this process's memory group that were killed for lack of memory so far; None when not readable."""
    counts = (facts_in(folder / COUNTERS[version]).get("oom_kill") for version, _, folder in memory_groups(own, root))
    return next((count for count in counts if count is not None), None)
