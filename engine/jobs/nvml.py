"""NVIDIA GPUs through the driver's own library, which is wherever a driver is: no Python package is needed.

Every figure may be missing (a slice of a GPU, no permission, an old driver) and is None then. A machine without a
driver raises ``NoGpu`` with the reason, once, when the library is opened.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
SUCCESS, INSUFFICIENT_SIZE = 0, 7
REASONS = {4: "no permission", 9: "the driver is not loaded", 15: "the GPU is lost", 18: "driver and library differ"}
NAME_BYTES = 96  # of a name or a UUID, with the final zero
UNKNOWN = (1 << 64) - 1  # bytes of a process whose memory the driver does not give


class NoGpu(Exception):
    """Why this machine has no GPU that can be read."""


@dataclass(frozen=True)
class Gpu:
    """One reading. ``busy`` 0..1: the share of the last moment in which it computed; memory in bytes."""

    index: int
    name: str
    uuid: str
    busy: float | None
    used: float | None
    total: float | None
    celsius: float | None
    watts: float | None
    processes: tuple[tuple[int, float], ...] = ()  # (pid, bytes of its memory)


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class _Utilisation(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _GpuProcess(ctypes.Structure):  # versions 2 and 3 of the call; drivers before 2021 have version 1 only
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


class Nvml:
    """The opened library. ``library``: what ``ctypes.CDLL`` gives; tests pass one that answers from a record."""

    def __init__(self, library: Any = None) -> None:
        if library is None:
            try:
                library = ctypes.CDLL(LIBRARY)
            except OSError:
                raise NoGpu("no GPU: this machine has no NVIDIA driver") from None
        self._library = library
        status = library.nvmlInit_v2()
        if status != SUCCESS:
            raise NoGpu(f"no GPU: NVML does not start ({REASONS.get(status, f'error {status}')})")
        count = self._value("nvmlDeviceGetCount_v2", ctypes.c_uint())
        self._handles = [self._handle(index) for index in range(count.value if count else 0)]
        if not any(self._handles):
            raise NoGpu("no GPU: the NVIDIA driver lists none")

    def _handle(self, index: int) -> ctypes.c_void_p | None:
        handle: ctypes.c_void_p | None = self._value(
            "nvmlDeviceGetHandleByIndex_v2", ctypes.c_void_p(), ctypes.c_uint(index)
        )
        return handle

    def read(self) -> tuple[Gpu, ...]:
        """A reading of every GPU."""
        return tuple(self._gpu(index, handle) for index, handle in enumerate(self._handles) if handle)

    def _gpu(self, index: int, handle: ctypes.c_void_p) -> Gpu:
        use = self._value("nvmlDeviceGetUtilizationRates", _Utilisation(), handle)
        memory = self._value("nvmlDeviceGetMemoryInfo", _Memory(), handle)
        watts = self._value("nvmlDeviceGetPowerUsage", ctypes.c_uint(), handle)
        heat = self._value("nvmlDeviceGetTemperature", ctypes.c_uint(), handle, ctypes.c_int(0))
        return Gpu(
            index,
            self._text("nvmlDeviceGetName", handle) or "GPU",
            self._text("nvmlDeviceGetUUID", handle),
            None if use is None else use.gpu / 100,
            None if memory is None else float(memory.used),
            None if memory is None else float(memory.total),
            None if heat is None else float(heat.value),
            None if watts is None else watts.value / 1000,
            self._processes(handle),
        )

    def _call(self, name: str, *arguments: Any) -> int | None:
        """The status of a function; None where this driver has none of that name."""
        try:
            function = getattr(self._library, name)
        except AttributeError:
            return None
        return int(function(*arguments))

    def _value(self, name: str, into: Any, *arguments: Any) -> Any:
        """``into`` filled by a function of the library; None where it refuses."""
        return into if self._call(name, *arguments, ctypes.byref(into)) == SUCCESS else None

    def _text(self, name: str, handle: ctypes.c_void_p) -> str:
        text = ctypes.create_string_buffer(NAME_BYTES)
        found = self._call(name, handle, text, ctypes.c_uint(NAME_BYTES)) == SUCCESS
        return text.value.decode("utf-8", "replace") if found else ""

    def _processes(self, handle: ctypes.c_void_p) -> tuple[tuple[int, float], ...]:
        """Processes that compute on the GPU and the bytes that each holds; 0 where the driver does not give them."""
        name, count = "nvmlDeviceGetComputeRunningProcesses_v3", ctypes.c_uint(0)
        if self._call(name, handle, ctypes.byref(count), None) != INSUFFICIENT_SIZE:
            return ()
        count.value = 2 * count.value + 5  # more may start before the next call
        found = (_GpuProcess * count.value)()
        if self._call(name, handle, ctypes.byref(count), found) != SUCCESS:
            return ()
        return tuple((one.pid, 0.0 if one.used == UNKNOWN else float(one.used)) for one in found[: count.value])


def visible(gpus: Sequence[Gpu], listed: str | None) -> list[Gpu]:
    """GPUs that a process with CUDA_VISIBLE_DEVICES = ``listed`` may use; all where it is None or not understood."""
    if listed is None:
        return list(gpus)
    chosen = []
    for word in (word.strip() for word in listed.split(",") if word.strip()):
        if word == "-1":  # CUDA ignores it and whatever follows
            break
        found = [gpu for gpu in gpus if word == str(gpu.index) or (gpu.uuid and gpu.uuid.startswith(word))]
        if not found:
            return list(gpus)
        chosen += found
    return list(dict.fromkeys(chosen))
