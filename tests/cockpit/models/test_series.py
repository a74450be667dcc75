"""Points over time, smoothed and framed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.models.series import EPOCH, STEP, TIME, Limits, Series, at, nice_step


def filled(values, steps=None):
    series = Series()
    for index, value in enumerate(values):
        series.append(index if steps is None else steps[index], value, 100.0 + index, index / 10)
    return series


def slow_average(values, weight):
    """Exponential average with the correction for its start, one value at a time in float64."""
    state, out, last, count = 0.0, [], None, 0
    for value in values:
        last = value if math.isfinite(value) else last
        if last is None:
            out.append(math.nan)
            continue
        count += 1
        state = weight * state + (1 - weight) * last
        out.append(state / (1 - weight**count))
    return out


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf]), min_size=1, max_size=300),
    st.sampled_from([0.6, 0.9, 0.98]),
    st.lists(st.integers(1, 300), max_size=4),
)
def test_smoothing_in_parts_is_the_average_computed_one_value_at_a_time(values, weight, cuts):
    series = Series()
    done = 0
    for cut in [*sorted(cuts), len(values)]:
        for index in range(done, min(cut, len(values))):
            series.append(index, values[index], 0.0)
        done = max(done, min(cut, len(values)))
        series.smooth(weight)
    np.testing.assert_allclose(series.smooth(weight), slow_average(values, weight), rtol=1e-9, atol=1e-6)


def test_smoothing_numbers_near_the_greatest_does_not_overflow():
    assert np.isfinite(filled([0.0, 0.0, 1.3e308, -1.7e308]).smooth(0.6)).all()


def test_no_smoothing_is_the_values_themselves():
    assert filled([1, 2, 3]).smooth(0).tolist() == [1, 2, 3]


def test_a_resumed_run_forgets_what_it_does_again():
    series = filled(range(10))
    series.smooth(0.9)
    series.rewind(4)
    assert series.steps.tolist() == [0, 1, 2, 3, 4]
    series.append(5, 50, 200.0)
    np.testing.assert_allclose(series.smooth(0.9), slow_average([0, 1, 2, 3, 4, 50], 0.9))


def test_a_point_of_an_earlier_step_replaces_what_came_after_it():
    series = filled([1, 2, 3, 4], steps=[10, 20, 30, 40])
    series.append(25, 9.0, 200.0)
    assert series.steps.tolist() == [10, 20, 25] and series.values.tolist() == [1, 2, 9]
    series.append(25, 8.0, 201.0)
    assert series.steps.tolist() == [10, 20, 25, 25]


def test_a_clock_that_was_put_back_does_not_turn_the_time_axis():
    series = Series()
    for step, time in enumerate([10.0, 20.0, 5.0, 21.0]):
        series.append(step, 0.0, time)
    assert series.x(TIME).tolist() == [0, 10, 10, 11]


def test_three_axes():
    series = filled([1, 2, 3], steps=[10, 20, 30])
    assert series.x(STEP).tolist() == [10, 20, 30]
    assert series.x(EPOCH).tolist() == [0, 0.1, 0.2]
    assert series.x(TIME).tolist() == [0, 1, 2]


def test_a_million_points_are_taken_in_one_piece():
    series = Series()
    count = 1_000_000
    series.extend(np.arange(count), np.zeros(count), np.zeros(count), np.zeros(count))
    assert series.count == count and series.last_step == count - 1


def test_the_cursor_finds_the_nearest_point():
    series = filled([1, 2, 3], steps=[10, 20, 30])
    assert at(series, STEP, 14) == (10, 1) and at(series, STEP, 16) == (20, 2) and at(series, STEP, 99) == (30, 3)
    assert at(Series(), STEP, 1) is None


@pytest.mark.parametrize(("value", "ladder"), [(0.03, 0.05), (1, 1), (1.1, 2), (6, 10), (70, 100), (0, 1)])
def test_the_ladder_has_the_rungs_one_two_five(value, ladder):
    assert nice_step(value) == pytest.approx(ladder)


def test_limits_stand_still_while_the_data_stays_inside():
    limits = Limits()
    first = limits.follow(0.0, 0.66)
    assert limits.follow(0.0, 0.69) == first and limits.follow(0.1, 0.5) == first
    assert limits.follow(0.0, 2.0) != first


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_limits_hold_the_data(a, b):
    low, high = min(a, b), max(a, b)
    bottom, top = Limits().follow(low, high)
    slack = 1e-9 * max(abs(low), abs(high))
    assert bottom <= low + slack and high - slack <= top and bottom < top


def test_limits_of_no_number_stay():
    limits = Limits()
    limits.follow(0.0, 4.0)
    assert limits.follow(math.nan, math.nan) == (0.0, 4.0)
