"""Use of the machine by run, and by every process that belongs to none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

IDLE_CPU, IDLE_MEMORY = 0.01, 16e6  # cores and bytes below which a process is idle


@dataclass(frozen=True)
class ProcessSample:
    """One process. ``cpu``: cores in use since the previous reading, None in the first; ``memory``: resident bytes."""

    pid: int
    parent: int
    command: str
    user: str
    cpu: float | None
    memory: float | None
    started: float | None  # unix seconds


@dataclass
class Usage:
    """Resources used by one run, or by one process that belongs to none. ``cpu`` in cores, the rest in bytes."""

    run: str  # empty for a process that belongs to no run
    command: str
    account: str
    pids: list[int] = field(default_factory=list)
    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    started: float | None = None


def usages(processes: Iterable[ProcessSample], workers: Mapping[int, str], gpu: Mapping[int, float]) -> list[Usage]:
    """Runs first, each the sum of its processes; then other processes; both by GPU memory, processor, then memory.

    ``workers``: pid -> run for the processes that runs record, whose children are included. ``gpu``: pid -> bytes.
    """
    known = {process.pid: process for process in processes}
    runs: dict[str, Usage] = {}
    others: list[Usage] = []
    for process in known.values():
        run = _run_of(process, known, workers)
        if run:
            usage = runs.setdefault(run, Usage(run, process.command, process.user))
        else:
            usage = Usage("", process.command, process.user)
            others.append(usage)
        usage.pids.append(process.pid)
        usage.cpu = _sum(usage.cpu, process.cpu)
        usage.memory = _sum(usage.memory, process.memory)
        usage.gpu = _sum(usage.gpu, gpu.get(process.pid))
        if process.started is not None:
            usage.started = min(usage.started or process.started, process.started)
    hidden = [pid for pid in gpu if pid not in known]  # of another container, or of a user whose processes are hidden
    others += [Usage("", "a process that cannot be seen from here", "?", [pid], gpu=gpu[pid]) for pid in hidden]
    return [*sorted(runs.values(), key=_weight), *_idle_merged(sorted(others, key=_weight))]


def _idle_merged(others: list[Usage]) -> list[Usage]:
    """Two or more idle processes become one line."""
    shown = [
        usage for usage in others if usage.gpu or (usage.cpu or 0.0) >= IDLE_CPU or (usage.memory or 0.0) >= IDLE_MEMORY
    ]
    small = [usage for usage in others if usage not in shown]
    if len(small) < 2:
        return others
    rest = Usage("", f"{len(small)} processes that take next to nothing", "")
    for usage in small:
        rest.pids += usage.pids
        rest.cpu, rest.memory = _sum(rest.cpu, usage.cpu), _sum(rest.memory, usage.memory)
    return [*shown, rest]


def _weight(usage: Usage) -> tuple[float, float, float]:
    return -(usage.gpu or 0.0), -round(usage.cpu or 0.0, 1), -(usage.memory or 0.0)


def _run_of(process: ProcessSample, known: Mapping[int, ProcessSample], workers: Mapping[int, str]) -> str:
    """The run of a process, or of its nearest ancestor that has one."""
    seen: set[int] = set()
    here: ProcessSample | None = process
    while here is not None and here.pid not in seen:
        if here.pid in workers:
            return workers[here.pid]
        seen.add(here.pid)
        here = known.get(here.parent)
    return ""


def _sum(total: float | None, more: float | None) -> float | None:
    return total if more is None else more + (total or 0.0)
