"""Several curves as one."""

import math

import pytest

from engine.metrics.band import band


def test_a_band_is_the_mean_and_the_range_of_the_curves_at_every_point() -> None:
    found = band([([0, 2], [0.0, 2.0]), ([0, 1, 2], [2.0, 2.0, 4.0])], [0, 1, 2])
    assert found.x.tolist() == [0, 1, 2]
    assert found.mean.tolist() == [1, 1.5, 3]
    assert (found.low.tolist(), found.high.tolist()) == ([0, 1, 2], [2, 2, 4])  # 1: between its neighbours


def test_a_curve_is_absent_outside_of_its_own_points() -> None:
    found = band([([1, 3], [1.0, 1.0]), ([2, 4], [5.0, 5.0])], [0, 1, 2, 3, 4, 5])
    assert found.mean.tolist() == pytest.approx([math.nan, 1, 3, 3, 5, math.nan], nan_ok=True)
    assert found.low.tolist() == pytest.approx([math.nan, 1, 1, 1, 5, math.nan], nan_ok=True)


def test_a_value_that_is_not_a_number_is_not_hidden_by_the_other_curves() -> None:
    found = band([([0, 1], [math.nan, 1.0]), ([0, 1], [3.0, 3.0])], [0, 1])
    assert math.isnan(found.mean[0]) and found.mean[1] == 2
