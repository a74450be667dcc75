"""Timing and counting that the sections of ``gpu.py`` share."""

import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

ALLOCATIONS = ("empty", "detach", "alias", "_unsafe_view", "new_empty")  # start no kernel, and are no views by schema


class Row(NamedTuple):
    """One measured number."""

    name: str
    value: float
    unit: str


class _Dispatches(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.views = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        self.found[name] += 1
        self.views += bool(func.is_view) or name.startswith(ALLOCATIONS)
        return func(*args, **(kwargs or {}))


def dispatches(work: Callable[[], object]) -> tuple[int, int, Counter[str]]:
    """Operations that ``work`` dispatches, those among them that start no kernel, and their names."""
    with _Dispatches() as mode:
        work()
    return sum(mode.found.values()), mode.views, mode.found


def kernels(work: Callable[[], object]) -> tuple[int, float]:
    """Kernels and copies that ``work`` starts on the GPU, and milliseconds that the GPU spends in them."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        work()
        torch.cuda.synchronize()
    on_device = [event for event in profiled.events() or [] if event.device_type == torch.autograd.DeviceType.CUDA]
    return len(on_device), sum(event.self_device_time_total for event in on_device) / 1000


def counted(name: str, work: Callable[[], object]) -> list[Row]:
    """Rows of what one call of ``work`` sends to the device."""
    whole, without_kernel, _ = dispatches(work)
    rows = [Row(f"{name}: dispatches", whole, ""), Row(f"{name}: of which start a kernel", whole - without_kernel, "")]
    if torch.cuda.is_available():
        started, busy = kernels(work)
        rows += [Row(f"{name}: kernels and copies", started, ""), Row(f"{name}: time in them", busy, "ms")]
    return rows


def milliseconds(work: Callable[[], object], *, repeats: int, rounds: int = 5) -> float:
    """Median over rounds of the wall time of one call, waiting for the GPU after every ``repeats`` calls."""
    times = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        for _ in range(repeats):
            work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begin) / repeats)
    return statistics.median(times[1:])
