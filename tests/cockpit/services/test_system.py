"""The machine is read, and whatever it does not tell is simply not known."""

import os
import sys
from types import SimpleNamespace

import psutil

from cockpit.services.system import Meter


class Refused(Exception):
    pass


class Nvml:
    """A driver with one GPU; names in ``missing`` are refused, as on a slice of a GPU."""

    NVMLError = Refused

    def __init__(self, missing=(), broken=False):
        self.missing, self.broken, self.started = missing, broken, 0

    def nvmlInit(self):
        self.started += 1
        if self.broken:
            raise Refused("no driver")

    def nvmlDeviceGetCount(self):
        return 1

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def __getattr__(self, name):
        values = {
            "nvmlDeviceGetName": b"H200",
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=87),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=61e9, total=139e9),
            "nvmlDeviceGetTemperature": 54,
            "nvmlDeviceGetPowerUsage": 412_000,
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=7, usedGpuMemory=60_000_000_000),
                SimpleNamespace(pid=8, usedGpuMemory=None),
            ],
        }

        def figure(handle, *rest):
            if name in self.missing:
                raise Refused("not supported")
            return values[name]

        return figure


def test_a_gpu_is_read_whole(tmp_path):
    (gpu,) = Meter(tmp_path, nvml=Nvml()).poll().gpus
    assert (gpu.name, gpu.busy, gpu.used, gpu.celsius, gpu.watts) == ("H200", 0.87, 61e9, 54, 412)
    assert gpu.processes == ((7, 6e10), (8, 0.0))


def test_figures_that_a_gpu_refuses_are_none(tmp_path):
    meter = Meter(tmp_path, nvml=Nvml(missing=("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPowerUsage")))
    (gpu,) = meter.poll().gpus
    assert gpu.busy is None and gpu.watts is None and gpu.total == 139e9


def test_a_missing_driver_is_reported_once_and_not_asked_every_second(tmp_path):
    nvml = Nvml(broken=True)
    meter = Meter(tmp_path, nvml=nvml)
    assert meter.poll().gpu_note == "no GPU" and meter.poll().gpus == ()
    assert nvml.started == 1


def test_without_the_library_it_says_which_one(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    system = Meter(tmp_path).poll()
    assert system.gpus == () and "pip install .[gpu]" in system.gpu_note


def test_processes_are_looked_for_only_when_somebody_wants_them(tmp_path):
    meter = Meter(tmp_path, nvml=Nvml())
    assert meter.poll().processes == ()
    assert os.getpid() in [process.pid for process in meter.poll(processes=True).processes]


def test_memory_and_disk_are_real(tmp_path):
    system = Meter(tmp_path / "not" / "there" / "yet", nvml=Nvml()).poll()
    assert system.memory_total == psutil.virtual_memory().total
    assert 0 < system.disk_free <= system.disk_total
