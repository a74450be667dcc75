"""Load of the machine: GPUs from NVML, CPU, memory and disk from psutil.

Without a library, a driver or a single value the reading holds None, and no error is raised. Read in a thread, once a
second.
"""

import importlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.models.processes import ProcessSample
from cockpit.services.processes import ProcessSampler

PROCESSES_EVERY = 4.0  # seconds between two readings of all processes
RETRY = 60.0  # seconds until a missing driver is tried again


@dataclass(frozen=True)
class Gpu:
    """Shares 0..1, memory in bytes."""

    name: str
    busy: float | None
    used: float | None
    total: float | None
    celsius: float | None
    watts: float | None
    processes: tuple[tuple[int, float], ...] = ()  # (pid, bytes of its memory)


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
    """Reads the machine that it runs on. Tests replace ``nvml`` and ``psutil``."""

    def __init__(self, disk: Path, nvml: Any = None, psutil: Any = None) -> None:
        self._disk = disk
        self._nvml, self._psutil = nvml, psutil
        self._processes = ProcessSampler(psutil)
        self._known: tuple[ProcessSample, ...] = ()
        self._processes_at = -PROCESSES_EVERY
        self._retry_at = 0.0
        self._ready = False
        self._note = ""

    def poll(self, processes: bool = False) -> Machine:
        """A new reading. ``processes``: also of all processes."""
        gpus = self._gpus()
        psutil = self._library("psutil", self._psutil)
        self._psutil = psutil
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

    def _library(self, name: str, given: Any) -> Any:
        if given is not None:
            return given
        try:
            return importlib.import_module(name)
        except ImportError:
            return None

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
        if not self._ready and time.monotonic() < self._retry_at:
            return ()
        self._nvml = self._library("pynvml", self._nvml)
        if self._nvml is None:
            self._note, self._retry_at = "pip install .[gpu] shows GPUs", float("inf")
            return ()
        nvml = self._nvml
        try:
            if not self._ready:
                nvml.nvmlInit()
                self._ready = True
            found = tuple(self._gpu(nvml.nvmlDeviceGetHandleByIndex(i)) for i in range(nvml.nvmlDeviceGetCount()))
        except nvml.NVMLError:
            self._ready, self._retry_at = False, time.monotonic() + RETRY
            self._note = "no GPU"
            return ()
        self._note = "" if found else "no GPU"
        return found

    def _gpu(self, handle: Any) -> Gpu:
        nvml = self._nvml

        def figure(name: str, *arguments: Any) -> Any:
            """One value of the device; None without one (a slice of a GPU, no permission, an old driver)."""
            try:
                return getattr(nvml, name)(handle, *arguments)
            except (nvml.NVMLError, AttributeError):
                return None

        name = figure("nvmlDeviceGetName") or "GPU"
        use = figure("nvmlDeviceGetUtilizationRates")
        memory = figure("nvmlDeviceGetMemoryInfo")
        watts = figure("nvmlDeviceGetPowerUsage")
        return Gpu(
            name=name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name),
            busy=None if use is None else use.gpu / 100,
            used=None if memory is None else float(memory.used),
            total=None if memory is None else float(memory.total),
            celsius=figure("nvmlDeviceGetTemperature", 0),
            watts=None if watts is None else watts / 1000,
            processes=_held(figure("nvmlDeviceGetComputeRunningProcesses")),
        )


def _held(processes: Any) -> tuple[tuple[int, float], ...]:
    """Processes on a GPU and the bytes that they hold; the memory may be None."""
    return tuple((int(one.pid), float(one.usedGpuMemory or 0)) for one in processes or ())
