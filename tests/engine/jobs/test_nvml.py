"""GPUs are read through the driver's library; a recorded answer of an H200 machine takes its part."""

from typing import Any

import pytest

from engine.jobs.nvml import INSUFFICIENT_SIZE, SUCCESS, UNKNOWN, Gpu, NoGpu, Nvml, visible

NOT_SUPPORTED, DRIVER_NOT_LOADED = 3, 9
RECORD: dict[str, Any] = {
    "name": b"NVIDIA H200",
    "uuid": b"GPU-5f1c",
    "busy": 87,
    "used": 61_000_000_000,
    "total": 150_000_000_000,
    "milliwatts": 412_500,
    "celsius": 54,
    "processes": [(4711, 60_000_000_000), (4712, UNKNOWN)],
}


class RecordedDriver:
    """Answers as the library does: a status returned, values written where the caller points."""

    def __init__(self, *gpus: dict[str, Any], refused: tuple[str, ...] = (), status: int = SUCCESS) -> None:
        self.gpus, self.refused, self.status = gpus, refused, status

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in object.__getattribute__(self, "refused"):
            return lambda *arguments: NOT_SUPPORTED
        return object.__getattribute__(self, name)

    def nvmlInit_v2(self) -> int:
        return self.status

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.gpus)
        return SUCCESS

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        handle._obj.value = index.value + 1
        return SUCCESS

    def _gpu(self, handle: Any) -> dict[str, Any]:
        return self.gpus[handle.value - 1]

    def nvmlDeviceGetName(self, handle: Any, text: Any, size: Any) -> int:
        assert size.value == len(text)
        text.value = self._gpu(handle)["name"]
        return SUCCESS

    def nvmlDeviceGetUUID(self, handle: Any, text: Any, size: Any) -> int:
        text.value = self._gpu(handle)["uuid"]
        return SUCCESS

    def nvmlDeviceGetUtilizationRates(self, handle: Any, use: Any) -> int:
        use._obj.gpu, use._obj.memory = self._gpu(handle)["busy"], 40
        return SUCCESS

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:
        memory._obj.used, memory._obj.total = self._gpu(handle)["used"], self._gpu(handle)["total"]
        return SUCCESS

    def nvmlDeviceGetPowerUsage(self, handle: Any, watts: Any) -> int:
        watts._obj.value = self._gpu(handle)["milliwatts"]
        return SUCCESS

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: Any, heat: Any) -> int:
        assert sensor.value == 0  # of the chip
        heat._obj.value = self._gpu(handle)["celsius"]
        return SUCCESS

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any, count: Any, into: Any) -> int:
        processes = self._gpu(handle)["processes"]
        room, count._obj.value = count._obj.value, len(processes)
        if len(processes) > room:
            return INSUFFICIENT_SIZE
        for row, (pid, used) in zip(into or (), processes, strict=False):
            row.pid, row.used = pid, used
        return SUCCESS


def test_a_gpu_is_read_whole() -> None:
    (gpu,) = Nvml(RecordedDriver(RECORD)).read()
    assert gpu == Gpu(
        0, "NVIDIA H200", "GPU-5f1c", 0.87, 61e9, 150e9, 54.0, 412.5, ((4711, 60_000_000_000.0), (4712, 0.0))
    )


def test_what_a_gpu_refuses_is_none_and_the_rest_is_read() -> None:
    refused = ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetComputeRunningProcesses_v3")
    (gpu,) = Nvml(RecordedDriver(RECORD, refused=refused)).read()
    assert (gpu.busy, gpu.watts, gpu.processes) == (None, None, ()) and gpu.total == 150e9


def test_functions_that_an_old_driver_lacks_are_none() -> None:
    class Old(RecordedDriver):
        def __getattribute__(self, name: str) -> Any:
            if name.endswith("_v3"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    (gpu,) = Nvml(Old(RECORD)).read()
    assert gpu.processes == () and gpu.busy == 0.87


def test_a_gpu_without_processes_has_none() -> None:
    (gpu,) = Nvml(RecordedDriver(RECORD | {"processes": []})).read()
    assert gpu.processes == ()


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (RecordedDriver(status=DRIVER_NOT_LOADED), "the driver is not loaded"),
        (RecordedDriver(status=999), "error 999"),
        (RecordedDriver(), "lists none"),
        (RecordedDriver(RECORD, refused=("nvmlDeviceGetCount_v2",)), "lists none"),
    ],
)
def test_why_there_is_no_gpu_is_one_sentence(driver: Any, reason: str) -> None:
    with pytest.raises(NoGpu, match=reason):
        Nvml(driver)


def test_a_machine_without_the_library_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.nvml.LIBRARY", "libno-such-library.so.1")
    with pytest.raises(NoGpu, match="no NVIDIA driver"):
        Nvml()


@pytest.mark.parametrize(
    ("listed", "indexes"),
    [
        (None, [0, 1]),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("GPU-other", [1]),
        ("", []),
        ("-1", []),
        ("0,-1,1", [0]),
        ("MIG-1234", [0, 1]),
    ],
)
def test_only_gpus_that_the_run_may_use_are_recorded(listed: str | None, indexes: list[int]) -> None:
    gpus = Nvml(RecordedDriver(RECORD, RECORD | {"uuid": b"GPU-other"})).read()
    assert [gpu.index for gpu in visible(gpus, listed)] == indexes
