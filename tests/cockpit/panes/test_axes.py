"""Labels of axes: in the right rows, apart, and no two alike."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cockpit.panes.axes import APART, MOST, rounded_end, texts, x_axis, y_labels
from cockpit.render.lines import plain, width


def value(text):
    return float(text)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 40))
def test_labels_of_a_linear_axis_stand_where_their_values_are_and_differ(bottom, span, rows):
    labels = y_labels(bottom, bottom + span, rows, False)
    assert len(labels) >= 2 and len(set(labels.values())) == len(labels)
    kept = sorted(labels)
    if len(kept) > 2:
        assert all(b - a >= APART for a, b in pairwise(kept))
    for row, text in labels.items():
        at = bottom + span * (1 - row / (rows - 1))
        assert abs(value(text) - at) <= span / (rows - 1) * 0.61 + span * 0.11 * (len(kept) == 2) + 1e-9 * abs(at)


@given(st.floats(-12, 6), st.floats(0.01, 14), st.integers(2, 40))
def test_labels_of_a_log_axis_differ_and_stand_where_their_values_are(bottom, span, rows):
    labels = y_labels(bottom, bottom + span, rows, True)
    assert len(labels) >= 2 and len(set(labels.values())) == len(labels)
    for row, text in labels.items():
        at = bottom + span * (1 - row / (rows - 1))
        assert abs(math.log10(value(text)) - at) <= span / (rows - 1) * 0.61 + 0.06


@pytest.mark.parametrize(
    ("bottom", "top", "rows", "log", "labels"),
    [
        (0.0, 7.0, 11, False, ["6", "4", "2", "0"]),
        (0.02913, 0.02921, 14, False, ["0.02920", "0.02918", "0.02916", "0.02914"]),
        (0.0, 70.0, 3, False, ["70", "0"]),
        (-3.0, 2.0, 12, True, ["100", "10", "1", "0.1", "0.01", "0.001"]),
        (0.845, 0.846, 12, True, ["7.010", "7.005", "7.000"]),
        (-12.0, 3.0, 12, True, ["1000", "1", "0.001", "1e-6", "1e-9", "1e-12"]),
        (1e9, 3e9, 10, False, ["3e9", "2e9", "1e9"]),
        (1.04, 1.16, 2, False, ["1.16", "1.04"]),  # 1.2 and 1.0 would err by a third of the range
        (-6.875, -6.75, 2, True, ["1.8e-7", "1.3e-7"]),  # 2e-7 and 1e-7 would err by an eighth of a decade
    ],
)
def test_labels_are_round_numbers_with_as_many_digits_as_tell_them_apart(bottom, top, rows, log, labels):
    found = y_labels(bottom, top, rows, log)
    assert [found[row] for row in sorted(found)] == labels


def test_a_range_without_extent_has_one_label():
    assert y_labels(2.0, 2.0, 9, False) == {0: "2.000"}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6, unique=True))
@example([-0.0625, 1.0, 0.0])
def test_texts_of_different_numbers_differ(values):
    assert len(set(texts(values))) == len(values)


@given(st.floats(1e-3, 1e9))
def test_an_axis_that_grows_ends_at_most_an_eighth_beyond_the_data(last):
    assert last * (1 - 1e-9) <= rounded_end(last) <= last * 1.26


@pytest.mark.parametrize(
    ("x", "axis", "text"), [(30, "step", "30 step"), (9.5, "epoch", "9.5 epoch"), (65, "time", "1:05")]
)
def test_the_x_axis_names_its_end(x, axis, text):
    line = x_axis(0.0, x, 30, axis)
    assert text in plain([line]) and width(line) == 30


def test_long_labels_leave_room_for_the_curve():
    assert max(map(len, y_labels(1e-9, 1.00000001e-9, 9, False).values())) <= 2 * MOST
