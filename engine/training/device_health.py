"""Judges readings of devices: a GPU that waits, work on the CPU that it waits for, memory near its limit.

A reading holds the fields of a ``sys`` event (``engine.runs.events``), ``machine`` those of the event of that name.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from engine.runs.events import number

if TYPE_CHECKING:
    from engine.config.settings.health import HealthSettings

SECONDS = 30.0  # that readings must agree for
BUSY_CORE = 0.9  # of a core: the busiest process does nothing else than compute
HELD = 0.05  # of a GPU's memory: it is used, where the driver does not tell by whom
COMPUTES = ("train", "ask")  # beginnings of the names of phases that keep a GPU busy
GPU_IDLE, LOADER_BOUND, MEMORY = "gpu_idle", "loader_bound", "memory_limit"

Reading = Mapping[str, Any]
Observation = tuple[str, str, tuple[str, ...]]  # code, what was seen, devices


class DeviceMonitor:
    """Readings in, observations out: of those that agree for ``SECONDS`` and ``rules.reports`` readings."""

    def __init__(self, rules: "HealthSettings") -> None:
        self._rules = rules
        self._machine: Reading = {}
        self._phase = ""
        self._all: deque[Reading] = deque()
        self._computing: deque[Reading] = deque()  # of the present phase, where that computes

    def machine(self, event: Reading) -> None:
        self._machine = event
        self._all.clear()
        self._computing.clear()

    def phase(self, name: str) -> None:
        """What the stage does from now on."""
        if name != self._phase:
            self._phase = name
            self._computing.clear()

    def feed(self, event: Reading) -> tuple[list[str], list[Observation]]:
        """The codes that the readings until now can judge, and what they show."""
        judged: list[str] = []
        found: list[Observation] = []
        if self._lasts(self._all, event):
            judged.append(MEMORY)
            found += near_limit(self._all, self._machine, self._rules)
        if self._phase.startswith(COMPUTES) and self._lasts(self._computing, event):
            judged += [GPU_IDLE, LOADER_BOUND]
            found += waiting(self._computing, self._rules)
        return judged, found

    def _lasts(self, readings: deque[Reading], event: Reading) -> bool:
        """Append a reading; whether there are enough of them, of which older ones are dropped."""
        readings.append(event)
        while len(readings) > self._rules.reports and readings[1]["t"] <= event["t"] - SECONDS:
            readings.popleft()
        return len(readings) >= self._rules.reports and event["t"] - readings[0]["t"] >= SECONDS


def waiting(readings: Collection[Reading], rules: "HealthSettings") -> list[Observation]:
    """GPUs that the run uses and that hardly compute in any of the readings."""
    idle = {
        index: max(shares)
        for index, shares in _busy(readings).items()
        if len(shares) == len(readings) and max(shares) < rules.gpu_idle
    }
    if not idle:
        return []
    seen = f"it computes {max(idle.values()):.0%} of the time at most"
    names = tuple(f"gpu{index}" for index in idle)
    if all((number(one.get("top")) or 0.0) >= BUSY_CORE for one in readings):
        return [(LOADER_BOUND, f"{seen}, while a process on the CPU works without a pause", names)]
    return [(GPU_IDLE, f"{seen}, and no process on the CPU is busy", names)]


def near_limit(readings: Collection[Reading], machine: Reading, rules: "HealthSettings") -> list[Observation]:
    """Memory of the machine, or of the control group, that was near its limit in all of the readings."""
    limit = number(machine.get("limit"))
    used = [number(one.get("used")) for one in readings]
    known = [share for share in used if share is not None]
    if not limit or len(known) < len(used) or min(known) <= rules.memory * limit:
        return []
    return [(MEMORY, f"{min(known) / limit:.0%} of the memory of {limit / 2**30:.1f} GiB is in use", ())]


def fullest(readings: Collection[Reading], machine: Reading) -> float | None:
    """The largest share of the memory limit that was in use; None where it was not read."""
    limit = number(machine.get("limit"))
    known = [used for one in readings if (used := number(one.get("used"))) is not None]
    return max(known) / limit if limit and known else None


def mean_busy(readings: Collection[Reading]) -> dict[int, float]:
    """GPU that the run uses -> its mean share of busy time."""
    return {index: sum(shares) / len(shares) for index, shares in _busy(readings).items()}


def _busy(readings: Collection[Reading]) -> dict[int, list[float]]:
    """GPU -> busy shares of the readings in which the run uses it.

    It uses those on which the driver names its processes. In a container the driver names none: then those whose
    memory is not empty.
    """
    named = any("own" in gpu for one in readings for gpu in one.get("gpus") or ())
    shares: dict[int, list[float]] = {}
    for one in readings:
        largest = max((number(gpu.get("mem")) or 0.0 for gpu in one.get("gpus") or ()), default=0.0)
        for gpu in one.get("gpus") or ():
            busy, held = number(gpu.get("busy")), number(gpu.get("own" if named else "mem")) or 0.0
            if busy is not None and held > (0.0 if named else HELD * largest):
                shares.setdefault(int(gpu["i"]), []).append(busy)
    return shares
