"""Intervals in cells."""

import math

from hypothesis import given
from hypothesis import strategies as st

from cockpit.panes.whisker import Scale, whisker
from cockpit.render.lines import plain, width

FINITE = st.floats(-1e6, 1e6)


def drawn(scale, value, low, high, marks=()):
    return plain([whisker(scale, value, low, high, dict(marks), "ok")])


def test_an_interval_reaches_from_its_low_to_its_high_end_with_the_value_between():
    text = drawn(Scale(0.0, 10.0, 11), 5.0, 2.0, 9.0)
    assert text == "  ├──●───┤"


def test_other_values_are_marked_behind_it():
    text = drawn(Scale(0.0, 10.0, 11), 5.0, 4.0, 6.0, {0.0: "┊", 10.0: "┊", 5.0: "┊"}.items())
    assert text == "┊   ├●┤   ┊"


def test_an_end_beyond_the_scale_is_an_arrow():
    assert drawn(Scale(0.0, 10.0, 11), 5.0, -math.inf, math.inf) == "◂────●────▸"


def test_a_value_without_an_interval_is_a_point_and_no_value_is_nothing():
    assert drawn(Scale(0.0, 10.0, 11), 5.0, math.nan, math.nan) == "     ●"
    assert drawn(Scale(0.0, 10.0, 11), math.nan, math.nan, math.nan) == ""


@given(st.lists(FINITE, min_size=1, max_size=5), FINITE, FINITE, FINITE, st.integers(1, 80))
def test_it_always_fills_its_cells(values, value, low, high, size):
    scale = Scale.of([*values, value, low, high], size)
    assert scale.low <= 0 <= scale.high and scale.low < scale.high
    assert width(whisker(scale, value, min(low, high), max(low, high), {v: "┊" for v in values}, "")) == size
    assert width(scale.ticks()) == size


def test_a_tick_begins_in_the_cell_of_its_value():
    scale = Scale.of([0.372, 0.031], 60)
    text = plain([scale.ticks()])
    assert text.index(".2") == scale.cell(0.2) and text.startswith("0 ") and text.endswith(".4")
