"""What a run's processes use of their machine, read from /proc and NVML: fields of the events ``sys`` and ``machine``.

A figure that cannot be read is None and left out of the event. A reading costs a tenth of a millisecond for each
process of the run and for each new process of the machine, and NVML's time.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.jobs.cgroup import memory_in_use, memory_limit
from engine.jobs.environment import usable_cores
from engine.jobs.nvml import Gpu, NoGpu, Nvml, visible
from engine.runs.identity import PROC

FORGET = 60  # readings after which processes that belonged to no run are looked at again: numbers are reused
LARGEST = ("top", "n", "mem", "used")  # fields of which merged readings keep the largest; of ``free`` the smallest
LARGEST_OF_GPU = ("i", "mem", "own", "c")

Fields = dict[str, Any]


@dataclass(frozen=True)
class ProcessStat:
    """A process in /proc/<pid>/stat. ``own`` and ``reaped``: processor seconds of itself and of its ended children."""

    pid: int
    parent: int
    own: float
    reaped: float
    resident: float  # bytes
    living: bool = True  # not a zombie, whose parent has not collected it yet


def parse_stat(text: str, ticks: int, page: int) -> ProcessStat:
    """The line of /proc/<pid>/stat; the name in it may hold blanks and parentheses."""
    pid = int(text[: text.index(" ")])
    fields = text[text.rindex(")") + 2 :].split()
    user, system, children_user, children_system = (int(field) / ticks for field in fields[11:15])
    return ProcessStat(
        pid,
        int(fields[1]),
        user + system,
        children_user + children_system,
        float(fields[21]) * page,
        fields[0] not in "ZX",
    )


class ProcessTree:
    """The processes below ``root``. Those found to be others' are not read again until their numbers may be reused."""

    def __init__(self, root: int, proc: Path = PROC) -> None:
        self._root, self._proc = root, proc
        self._others: set[int] = set()
        self._readings = 0
        self._ticks, self._page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")

    def read(self) -> tuple[ProcessStat | None, list[ProcessStat]]:
        """The root and the processes below it."""
        present = {int(name) for name in os.listdir(self._proc) if name.isdigit()}
        self._others = self._others & present if self._readings % FORGET else set()
        self._readings += 1
        found = {pid: stat for pid in present - self._others if (stat := self._stat(pid)) is not None}
        below: dict[int, bool] = {self._root: True}
        for pid in found:
            chain = []
            while pid not in below and pid in found:
                chain.append(pid)
                pid = found[pid].parent
            ours = below.get(pid, False)
            below.update(dict.fromkeys(chain, ours))
        self._others |= {pid for pid in found if not below[pid]}
        return found.get(self._root), [stat for pid, stat in found.items() if below[pid] and pid != self._root]

    def _stat(self, pid: int) -> ProcessStat | None:
        try:
            return parse_stat((self._proc / str(pid) / "stat").read_text(errors="replace"), self._ticks, self._page)
        except (OSError, ValueError, IndexError):  # it ended meanwhile
            return None


class DeviceReader:
    """Readings of the run whose supervisor is ``root``, which runs at ``folder``.

    ``clock`` gives seconds; ``open_nvml`` opens NVML or raises ``NoGpu``.
    """

    def __init__(
        self,
        root: int,
        folder: Path,
        *,
        proc: Path = PROC,
        clock: Callable[[], float] = time.monotonic,
        open_nvml: Callable[[], Nvml] = Nvml,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._tree, self._folder, self._proc, self._clock = ProcessTree(root, proc), folder, proc, clock
        self._listed = environment.get("CUDA_VISIBLE_DEVICES")
        self._limit = memory_limit()
        self._nvml: Nvml | None = None
        self._no_gpu = ""
        try:
            self._nvml = open_nvml()
        except NoGpu as reason:
            self._no_gpu = str(reason)
        self._at = clock()
        self._seconds: dict[int, float] = {}  # pid -> processor seconds
        self._total: float | None = None  # processor seconds of all processes of the run, ended ones included
        self._bytes: dict[int, tuple[float, float]] = {}  # pid -> bytes read from and written to disks
        self._machine = self._times()
        self.read()

    def machine(self) -> Fields:
        """The fields of a ``machine`` event."""
        memory = _facts(self._proc / "meminfo").get("MemTotal")
        limit = min((size for size in (memory, self._limit and self._limit[1]) if size), default=None)
        gpus = [{"i": gpu.index, "name": gpu.name, "mem": gpu.total} for gpu in self._gpus()]
        if self._nvml is not None and not gpus:
            self._no_gpu = "no GPU: CUDA_VISIBLE_DEVICES hides all"
        space = _space(self._folder)
        return {
            "cores": usable_cores(),
            "limit": limit,
            "disk": None if space is None else space[1],
            "gpus": gpus,
            "note": self._no_gpu or None,
        }

    def read(self) -> Fields:
        """The fields of a ``sys`` event; rates are those since the reading before."""
        now = self._clock()
        elapsed = max(now - self._at, 1e-6)
        self._at = now
        root, below = self._tree.read()
        space = _space(self._folder)
        return {
            **self._processors(root, below, elapsed),
            "busy": self._load(),
            "n": sum(stat.living for stat in below),
            "mem": sum(stat.resident for stat in below),
            "used": self._memory(),
            **self._disk(below, elapsed),
            "free": None if space is None else space[0],
            "gpus": self._gpu_fields({stat.pid for stat in below}),
        }

    def _processors(self, root: ProcessStat | None, below: Sequence[ProcessStat], elapsed: float) -> Fields:
        """Cores in use by all processes, and by the busiest one. A process that ended is in its parent's seconds."""
        total = sum(stat.own + stat.reaped for stat in below) + (root.reaped if root else 0.0)
        cpu = None if self._total is None else max(total - self._total, 0.0) / elapsed
        seconds = {stat.pid: stat.own for stat in below}
        spent = [seconds[pid] - self._seconds.get(pid, 0.0) for pid in seconds]
        self._total, self._seconds = total, seconds
        return {"cpu": cpu, "top": max(spent, default=0.0) / elapsed}

    def _disk(self, below: Sequence[ProcessStat], elapsed: float) -> Fields:
        """Bytes a second that the processes read from disks and wrote to them; None where the kernel does not tell."""
        counts = {}
        for stat in below:
            facts = _facts(self._proc / str(stat.pid) / "io")
            if "read_bytes" in facts:
                counts[stat.pid] = (facts["read_bytes"], facts["write_bytes"])
        if below and not counts:
            return {"rd": None, "wr": None}
        before, self._bytes = self._bytes, counts
        rates = [
            sum(max(now[way] - before.get(pid, (0.0, 0.0))[way], 0.0) for pid, now in counts.items()) / elapsed
            for way in (0, 1)
        ]
        return {"rd": rates[0], "wr": rates[1]}

    def _memory(self) -> float | None:
        """Bytes in use of what ``limit`` of the machine event limits: the control group's, else the machine's."""
        facts = _facts(self._proc / "meminfo")
        machine = facts["MemTotal"] - facts["MemAvailable"] if {"MemTotal", "MemAvailable"} <= facts.keys() else None
        if self._limit is None or self._limit[1] > facts.get("MemTotal", float("inf")):
            return machine
        return memory_in_use(self._limit[0], self._limit[2])

    def _times(self) -> tuple[float, float] | None:
        """Ticks in which the machine's cores worked, and all ticks."""
        try:
            first = (self._proc / "stat").read_text().split("\n", 1)[0].split()
        except OSError:
            return None
        ticks = [float(word) for word in first[1:9]]  # user nice system idle iowait irq softirq steal
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    def _load(self) -> float | None:
        """The share of the machine's cores that works, other processes included."""
        before, self._machine = self._machine, self._times()
        if before is None or self._machine is None or self._machine[1] <= before[1]:
            return None
        return (self._machine[0] - before[0]) / (self._machine[1] - before[1])

    def _gpus(self) -> list[Gpu]:
        return [] if self._nvml is None else visible(self._nvml.read(), self._listed)

    def _gpu_fields(self, pids: set[int]) -> list[Fields]:
        """A reading of every GPU that the run may use; ``own``: bytes of its processes, where the driver names any.

        In a container the driver lists numbers of processes that are not those of the container.
        """
        fields = []
        for gpu in self._gpus():
            own = [size for pid, size in gpu.processes if pid in pids]
            reading = {"i": gpu.index, "busy": gpu.busy, "mem": gpu.used, "own": sum(own) if own else None}
            reading |= {"w": gpu.watts, "c": gpu.celsius}
            fields.append({name: value for name, value in reading.items() if value is not None})
        return fields


def merged(readings: Sequence[Mapping[str, Any]]) -> Fields:
    """Readings of neighbouring times as one: means of rates and shares, the largest of sizes, the least free space."""
    out = _merged([{k: v for k, v in one.items() if k != "gpus"} for one in readings], LARGEST)
    by_index: dict[int, list[Mapping[str, Any]]] = {}
    for one in readings:
        for gpu in one.get("gpus") or ():
            by_index.setdefault(gpu["i"], []).append(gpu)
    if by_index:
        out["gpus"] = [_merged(gpus, LARGEST_OF_GPU) for gpus in by_index.values()]
    return out


def _merged(readings: Sequence[Mapping[str, Any]], largest: Sequence[str]) -> Fields:
    out: Fields = {}
    for name in dict.fromkeys(name for one in readings for name in one):
        known = [one[name] for one in readings if one.get(name) is not None]
        if known:
            out[name] = max(known) if name in largest else min(known) if name == "free" else sum(known) / len(known)
    return out


def rounded(fields: Mapping[str, Any]) -> Fields:
    """Whole bytes, four digits of the rest: half the bytes of the event."""
    return {name: _rounded(value) for name, value in fields.items() if value is not None}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


def _facts(file: Path) -> dict[str, float]:
    """Name -> bytes of a file with lines ``name: number [kB]``; empty when it cannot be read."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    facts = {}
    for line in lines:
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            facts[name] = float(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return facts


def _space(folder: Path) -> tuple[float, float] | None:
    """Free and all bytes of the file system of ``folder``."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return float(found.f_bavail * found.f_frsize), float(found.f_blocks * found.f_frsize)
