"""Who uses the machine: processes gathered by the run they work on, and all others one by one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cockpit.services.processes import Process

IDLE_CPU, IDLE_MEMORY = 0.01, 16e6  # cores and bytes below which a process is not worth a line


@dataclass
class User:
    """What one run, or one process that belongs to none, takes. ``cpu`` in cores, the rest in bytes."""

    run: str  # empty for a process that belongs to no run
    command: str
    account: str
    pids: list[int] = field(default_factory=list)
    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    started: float | None = None


def users(processes: Iterable[Process], workers: Mapping[int, str], gpu: Mapping[int, float]) -> list[User]:
    """Runs first, each the sum of its processes; then the rest; both by processor time, then memory.

    ``workers``: pid -> run for the processes that runs name; their children count as theirs. ``gpu``: pid -> bytes.
    """
    known = {process.pid: process for process in processes}
    runs: dict[str, User] = {}
    others: list[User] = []
    for process in known.values():
        run = _run_of(process, known, workers)
        if run:
            user = runs.setdefault(run, User(run, process.command, process.user))
        else:
            user = User("", process.command, process.user)
            others.append(user)
        user.pids.append(process.pid)
        user.cpu = _sum(user.cpu, process.cpu)
        user.memory = _sum(user.memory, process.memory)
        user.gpu = _sum(user.gpu, gpu.get(process.pid))
        if process.started is not None:
            user.started = min(user.started or process.started, process.started)
    strangers = [
        pid for pid in gpu if pid not in known
    ]  # of another container, or of a user whose processes are hidden
    others += [User("", "a process that cannot be seen from here", "?", [pid], gpu=gpu[pid]) for pid in strangers]
    return [*sorted(runs.values(), key=_weight), *_folded(sorted(others, key=_weight))]


def _folded(others: list[User]) -> list[User]:
    """Those that take next to nothing as one line, so that what matters is not lost among them."""
    shown = [
        user for user in others if user.gpu or (user.cpu or 0.0) >= IDLE_CPU or (user.memory or 0.0) >= IDLE_MEMORY
    ]
    small = [user for user in others if user not in shown]
    if len(small) < 2:
        return others
    rest = User("", f"{len(small)} processes that take next to nothing", "")
    for user in small:
        rest.pids += user.pids
        rest.cpu, rest.memory = _sum(rest.cpu, user.cpu), _sum(rest.memory, user.memory)
    return [*shown, rest]


def _weight(user: User) -> tuple[float, float, float]:
    return -(user.gpu or 0.0), -round(user.cpu or 0.0, 1), -(user.memory or 0.0)


def _run_of(process: Process, known: Mapping[int, Process], workers: Mapping[int, str]) -> str:
    """The run of a process or of the nearest one above it that has one."""
    seen: set[int] = set()
    here: Process | None = process
    while here is not None and here.pid not in seen:
        if here.pid in workers:
            return workers[here.pid]
        seen.add(here.pid)
        here = known.get(here.parent)
    return ""


def _sum(total: float | None, more: float | None) -> float | None:
    return total if more is None else more + (total or 0.0)
