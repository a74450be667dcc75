"""Load of the machine: GPUs from NVML, CPU, memory and disk from psutil.

Without a driver or a single value the reading holds None, and no error is raised. Read in a thread, once a second.
"""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.models.processes import ProcessSample
from cockpit.services.processes import ProcessSampler
from engine.jobs.nvml import Gpu, NoGpu, Nvml

PROCESSES_EVERY = 4.0  # seconds between two readings of all processes
RETRY = 60.0  # seconds until a missing driver is tried again


@dataclass(frozen=True)
class Machine:
    """One reading. ``gpu_note``: why there is no GPU to show."""

    cpu: float | None = None
    memory_used: float | None = None
    memory_total: float | None = None
    disk_free: float | None = None
    disk_total: float | None = None
    gpus: tuple[Gpu, ...] = ()
    gpu_note: str = ""
    cores: int | None = None
    processes: tuple[ProcessSample, ...] = ()  # only when requested
    time: float = field(default=0.0)


class Meter:
    """Reads the machine that it runs on. Tests replace ``psutil`` and ``open_nvml``, which raises NoGpu."""

    def __init__(self, disk: Path, open_nvml: Callable[[], Nvml] = Nvml, psutil: Any = None) -> None:
        self._disk = disk
        self._open_nvml, self._psutil = open_nvml, psutil
        self._nvml: Nvml | None = None
        self._processes = ProcessSampler(psutil)
        self._known: tuple[ProcessSample, ...] = ()
        self._processes_at = -PROCESSES_EVERY
        self._retry_at = 0.0
        self._note = ""

    def poll(self, processes: bool = False) -> Machine:
        """A new reading. ``processes``: also of all processes."""
        gpus = self._gpus()
        psutil = self._psutil = self._psutil or _installed("psutil")
        if psutil is None:
            return Machine(gpus=gpus, gpu_note=self._note, time=time.time())
        memory = psutil.virtual_memory()
        free, total = self._space(psutil)
        return Machine(
            cpu=psutil.cpu_percent(None) / 100,
            memory_used=float(memory.total - memory.available),
            memory_total=float(memory.total),
            disk_free=free,
            disk_total=total,
            gpus=gpus,
            gpu_note=self._note,
            cores=psutil.cpu_count(),
            processes=self._all_processes() if processes else (),
            time=time.time(),
        )

    def _all_processes(self) -> tuple[ProcessSample, ...]:
        if time.monotonic() - self._processes_at >= PROCESSES_EVERY:
            self._known, self._processes_at = self._processes.poll(), time.monotonic()
        return self._known

    def _space(self, psutil: Any) -> tuple[float | None, float | None]:
        folder = next((path for path in (self._disk, *self._disk.parents) if path.exists()), None)
        if folder is None:
            return None, None
        try:
            usage = psutil.disk_usage(str(folder))
        except OSError:
            return None, None
        return float(usage.free), float(usage.total)

    def _gpus(self) -> tuple[Gpu, ...]:
        if self._nvml is None and time.monotonic() >= self._retry_at:
            try:
                self._nvml, self._note = self._open_nvml(), ""
            except NoGpu as reason:
                self._note, self._retry_at = str(reason), time.monotonic() + RETRY
        return () if self._nvml is None else self._nvml.read()


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
