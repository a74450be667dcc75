"""Mean and range of a group's curves."""

import numpy as np

from cockpit.models.band import POINTS, mean_and_band
from cockpit.models.series import Series


def series(points):
    made = Series()
    for step, value in points:
        made.append(step, value, 100.0 + step, step / 10)
    return made


def test_it_is_the_mean_and_the_ends_of_the_runs_at_every_step_that_any_reported():
    mean, found = mean_and_band([series([(0, 0.0), (2, 2.0)]), series([(0, 2.0), (1, 2.0), (2, 4.0)])], "step")
    assert found.x.tolist() == [0, 1, 2]
    assert found.low.tolist() == [0, 1, 2] and found.high.tolist() == [2, 2, 4]  # 1: between its neighbours
    assert mean.values.tolist() == [1, 1.5, 3]
    assert mean.x("time").tolist() == [0, 1, 2]


def test_a_run_that_stopped_early_counts_as_far_as_it_got():
    mean, found = mean_and_band([series([(0, 0.0), (1, 0.0)]), series([(0, 2.0), (4, 2.0)])], "step")
    assert mean.values.tolist() == [1, 1, 2]
    assert found.low.tolist() == [0, 0, 2]


def test_values_that_are_no_numbers_are_left_out():
    _, found = mean_and_band([series([(0, np.nan), (1, 1.0), (2, np.inf), (3, 3.0)])], "step")
    assert found.x.tolist() == [1, 3]
    assert mean_and_band([series([(0, np.nan)]), series([])], "step") is None
    assert mean_and_band([], "step") is None


def test_a_long_history_is_reduced_to_a_grid():
    _, found = mean_and_band([series([(step, float(step)) for step in range(5 * POINTS)])], "step")
    assert len(found.x) == POINTS and np.allclose(found.low, found.x)


def test_epochs_that_were_not_shown_leave_no_curve():
    bare = Series()
    bare.append(1, 1.0, 1.0)
    assert mean_and_band([bare], "epoch") is None
