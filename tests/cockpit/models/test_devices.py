"""Readings of devices, folded and translated into the steps of the run."""

import math

import numpy as np

from cockpit.models.devices import Devices, longest
from cockpit.models.series import EPOCH, STEP, TIME, Series


def sys_event(at, **fields):
    return {"k": "sys", "v": 1, "t": at, "q": 0, "n": 1} | fields


def devices(*events):
    out = Devices()
    for event in events:
        out.feed(event)
    return out


def test_a_figure_that_appears_late_or_is_missing_once_is_unknown_there():
    seen = devices(sys_event(1.0, cpu=1.0), sys_event(2.0, mem=5), sys_event(3.0, cpu=2.0, mem="nan"))
    assert np.array_equal(seen.values("cpu"), [1.0, math.nan, 2.0], equal_nan=True)
    assert np.array_equal(seen.values("mem"), [math.nan, 5.0, math.nan], equal_nan=True)
    assert (seen.now("cpu"), seen.now("mem"), seen.count) == (2.0, None, 3)
    assert (seen.peak("mem"), seen.peak("rd")) == (5.0, None)


def test_gpus_are_told_apart_by_their_index():
    cards = [{"i": 0, "name": "A", "mem": 8}, {"i": 1, "name": "B", "mem": 9}, "nonsense"]
    read = [{"i": 1, "busy": 0.5, "mem": 3}, {"i": "x"}, 7]
    seen = devices({"k": "machine", "v": 1, "t": 0, "q": 0, "gpus": cards, "every": 2}, sys_event(1.0, gpus=read))
    assert [gpu["name"] for gpu in seen.gpus] == ["B"] and seen.now("1 busy") == 0.5 and seen.now("1 mem") == 3


def test_readings_stand_at_the_steps_that_the_run_had_reached():
    steps = Series()
    steps.extend([10, 20, 40], [0.0] * 3, [100.0, 110.0, 120.0], [1.0, 2.0, 4.0])
    seen = devices(*(sys_event(at, cpu=at) for at in (95.0, 105.0, 115.0, 125.0)))
    series = seen.series("cpu", 2.0, steps)
    assert list(series.x(STEP)) == [15.0, 30.0] and list(series.x(EPOCH)) == [1.5, 3.0]
    assert list(series.values) == [210.0, 230.0]
    alone = seen.series("cpu", 1.0, None)
    assert list(alone.x(TIME)) == [0.0, 10.0, 20.0, 30.0] == list(alone.steps)
    assert seen.series("rd", 1.0, None).count == 0


def test_the_longest_series_is_the_clock():
    short, long = Series(), Series()
    long.append(1, 1.0, 1.0)
    assert longest({"a": short, "b": long}) is long and longest({}) is None
