"""Curves as braille: nothing is lost, nothing is invented."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.render.braille import EMPTY, Area, Curve, Window, dots_of, dots_of_area, draw, reduce, runs, stroke


def every_point(x, y, window, columns, rows):
    """The slow truth: the line is walked in thousands of small steps and every dot it touches is set."""
    dots = np.zeros((rows, columns), bool)
    for a in range(len(x) - 1):
        for part in np.linspace(0, 1, 4000):
            px = (x[a] + (x[a + 1] - x[a]) * part - window.left) / (window.right - window.left) * (columns - 1)
            py = (window.top - (y[a] + (y[a + 1] - y[a]) * part)) / (window.top - window.bottom) * (rows - 1)
            row, column = round(py), round(px)
            if 0 <= row < rows and 0 <= column < columns:
                dots[row, column] = True
    return dots


def test_a_line_is_near_the_line_walked_in_small_steps():
    x, y = np.array([0.0, 3.0, 7.0, 10.0]), np.array([0.0, 9.0, 2.0, 10.0])
    window = Window(0, 10, 0, 10)
    drawn, truth = stroke(x, y, window, 20, 16), every_point(x, y, window, 20, 16)
    assert drawn.any(0).tolist() == truth.any(0).tolist()
    for column in range(20):
        a, b = np.flatnonzero(drawn[:, column]), np.flatnonzero(truth[:, column])
        assert abs(a.min() - b.min()) <= 1 and abs(a.max() - b.max()) <= 1


def test_a_line_is_unbroken():
    x = np.arange(40.0)
    dots = stroke(x, np.where(x % 2, 0.0, 10.0), Window(0, 39, 0, 10), 40, 24)
    for column in range(39):
        a, b = np.flatnonzero(dots[:, column]), np.flatnonzero(dots[:, column + 1])
        assert a.min() <= b.max() + 1 and b.min() <= a.max() + 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3000, 20000))
def test_reduced_points_draw_like_all_points(seed, count):
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(0, 1, count))
    y = np.cumsum(random.normal(size=count))
    window = Window(0.0, 1.0, float(y.min()), float(y.max()))
    few_x, few_y = reduce(x, y, 0.0, 1.0, 120)
    assert len(few_x) <= 480
    few, many = stroke(few_x, few_y, window, 120, 48), stroke(x, y, window, 120, 48)
    assert (few ^ many).sum() <= 0.05 * many.sum()


def test_one_spike_among_a_hundred_thousand_points_is_seen():
    y = np.zeros(100_000)
    y[54_321] = 1.0
    x, few = reduce(np.arange(100_000.0), y, 0, 99_999, 240)
    assert few.max() == 1.0 and len(x) <= 960


def test_a_value_that_is_not_finite_leaves_a_gap():
    y = np.zeros(100)
    y[40:60] = np.nan
    dots = dots_of(Curve(np.arange(100.0), y, 0), Window(0, 99, -1, 1), 100, 8)
    assert dots[:, 45:55].sum() == 0 and dots[:, :39].any() and dots[:, 61:].any()


def test_only_gaps_draw_nothing():
    patterns, colours = draw([Curve(np.arange(3.0), np.full(3, np.nan), 0)], Window(0, 2, 0, 1), 10, 4)
    assert not patterns.any() and (colours == EMPTY).all()


def test_a_curve_outside_the_window_draws_nothing():
    patterns, _ = draw([Curve(np.arange(5.0), np.full(5, 9.0), 0)], Window(0, 4, 0, 1), 10, 4)
    assert not patterns.any()


def test_the_last_curve_wins_the_cell_and_dashes_are_holes():
    x, y = np.arange(2.0), np.zeros(2)
    patterns, colours = draw([Curve(x, y, 0), Curve(x, y, 1, dash=2)], Window(0, 1, -1, 1), 8, 1)
    assert set(colours[0].tolist()) == {0, 1} and patterns.all()


def test_a_single_point_is_a_dot():
    patterns, _ = draw([Curve(np.array([5.0]), np.array([1.0]), 0)], Window(0, 10, 0, 2), 11, 3)
    assert (patterns > 0).sum() == 1


def test_rows_come_back_as_runs_of_one_colour():
    patterns, colours = draw([Curve(np.arange(2.0), np.array([0.0, 1.0]), 3)], Window(0, 1, 0, 1), 6, 3)
    rows = runs(patterns, colours)
    assert [sum(len(text) for text, _ in row) for row in rows] == [6, 6, 6]
    assert all(text.isspace() == (colour == EMPTY) for row in rows for text, colour in row)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=1, max_size=40),
    st.integers(1, 30),
    st.integers(1, 10),
)
def test_no_number_breaks_a_chart(values, width, height):
    x = np.arange(float(len(values)))
    draw([Curve(x, np.array(values), 0)], Window(0.0, float(len(values)), -1.0, 1.0), width, height)


@pytest.mark.slow
def test_a_million_points_take_less_than_ten_milliseconds():
    x = np.arange(1e6)
    curve = Curve(x, np.sin(x / 1e5), 0)
    best = min(_timed(curve) for _ in range(5))
    assert best < 0.010


def _timed(curve):
    start = time.perf_counter()
    draw([curve], Window(0, 1e6, -1, 1), 120, 30)
    return time.perf_counter() - start


def test_an_area_fills_a_sixth_of_what_lies_between_its_edges_and_curves_are_drawn_over_it():
    x = np.array([0.0, 10.0])
    area = Area(x, np.array([2.0, 2.0]), np.array([8.0, 8.0]), 3)
    window = Window(0, 10, 0, 10)
    dots = dots_of_area(area, window, 40, 41)
    assert np.flatnonzero(dots.any(1)).tolist() == list(range(8, 33))  # from 8 down to 2
    assert 0.15 < dots[8:33].mean() < 0.18
    other = dots_of_area(replace(area, colour=4), window, 40, 41)
    assert other.any() and not (dots & other).any()
    _, colours = draw([area, Curve(x, np.array([5.0, 5.0]), 1)], window, 20, 10)
    assert 1 in colours[4:6] and 3 in colours[2:4] and (colours[0] == EMPTY).all()


def test_an_area_that_ends_early_leaves_the_rest_empty():
    area = Area(np.array([0.0, 4.0]), np.array([0.0, 0.0]), np.array([10.0, 10.0]), 0)
    dots = dots_of_area(area, Window(0, 10, 0, 10), 41, 20)
    assert dots[:, :17].any(0)[::3].all() and not dots[:, 17:].any()
