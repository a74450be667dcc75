"""The devices of a run as lines and as charts."""

import pytest

from cockpit.models.chart import View
from cockpit.models.devices import Devices, longest
from cockpit.models.run_data import RunData
from cockpit.panes.devices import render
from cockpit.render.lines import plain, width
from engine.runs.reader import Tail
from engine.runs.schema import DEVICES


@pytest.fixture
def read(maker):
    def devices(**options):
        out = Devices()
        for event in Tail(maker.devices(maker.planned("teacher"), **options) / DEVICES).read():
            out.feed(event)
        return out

    return devices


@pytest.mark.parametrize("size", [(40, 6), (78, 8), (60, 12), (120, 16), (200, 20), (30, 9)])
@pytest.mark.parametrize("gpus", [0, 1, 3])
def test_it_fills_its_rectangle(read, size, gpus):
    lines = render(read(gpus=gpus), None, View(), *size)
    assert len(lines) == size[1] and {width(line) for line in lines} == {size[0]}


def test_a_line_for_each_device_shows_figures_and_their_course(read):
    text = plain(render(read(gpus=1), None, View(), 100, 8))
    assert "cpu    " in text and "of 16 cores" in text and "gpu0" in text and "400W 54°C" in text
    assert "20G of 139G" in text and "most 3.84G of 128G" in text and "931G free" in text
    assert "▇" in text and "3 processes, latest of 60 readings" in text


def test_why_there_is_no_gpu_is_said_plainly(read):
    for size in ((78, 8), (120, 16)):
        assert "no GPU: this machine has no NVIDIA driver" in plain(render(read(), None, View(), *size))
    assert "no GPU" not in plain(render(read(gpus=1), None, View(), 120, 16))


def test_charts_have_the_x_axis_of_the_curves(read):
    data = RunData()
    for step in (0, 500):
        event = {"k": "s", "v": 1, "q": 0, "step": step, "t": 1_790_000_000.0 - 590 + step, "m": {"loss": 1.0}}
        data.feed(event)
    text = plain(render(read(gpus=2), longest(data.series), View(), 160, 16))
    assert "gpu0 %" in text and "gpu1 %" in text and "500 step" in text and "── run" in text
    text = plain(render(read(), None, View(), 160, 16))
    assert " time " in text and " step " not in text, "without steps the axis is time"


def test_readings_that_failed_say_why():
    devices = Devices()
    devices.feed({"k": "machine", "v": 1, "t": 0, "q": 0, "every": 2.0})
    assert "no readings yet" in plain(render(devices, None, View(), 80, 6))
    devices.feed({"k": "log", "v": 1, "t": 1, "q": 1, "level": "warning", "msg": "no readings of devices: gone"})
    assert "no readings of devices: gone" in plain(render(devices, None, View(), 80, 6))
