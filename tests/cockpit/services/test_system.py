"""The machine is read, and whatever it does not tell is simply not known."""

import os

import psutil

from cockpit.services.system import Meter
from engine.jobs.nvml import Gpu, NoGpu

H200 = Gpu(0, "H200", "", 0.87, 61e9, 139e9, 54.0, 412.0, ((7, 6e10), (8, 0.0)))


class Cards:
    """NVML with one GPU."""

    def read(self):
        return (H200,)


def test_gpus_are_read(tmp_path):
    reading = Meter(tmp_path, open_nvml=Cards).poll()
    assert reading.gpus == (H200,) and reading.gpu_note == ""


def test_a_missing_driver_is_reported_and_not_asked_every_second(tmp_path):
    asked = []

    def refuse():
        asked.append(1)
        raise NoGpu("no GPU: the driver is not loaded")

    meter = Meter(tmp_path, open_nvml=refuse)
    assert meter.poll().gpu_note == meter.poll().gpu_note == "no GPU: the driver is not loaded"
    assert meter.poll().gpus == () and len(asked) == 1


def test_processes_are_looked_for_only_when_somebody_wants_them(tmp_path):
    meter = Meter(tmp_path, open_nvml=Cards)
    assert meter.poll().processes == ()
    assert os.getpid() in [process.pid for process in meter.poll(processes=True).processes]


def test_memory_and_disk_are_real(tmp_path):
    system = Meter(tmp_path / "not" / "there" / "yet", open_nvml=Cards).poll()
    assert system.memory_total == psutil.virtual_memory().total
    assert 0 < system.disk_free <= system.disk_total
