"""A chart says what its curves are worth."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cockpit.models.chart import Chart, Trace, View
from cockpit.models.series import Limits, Series
from cockpit.panes.chart import render
from cockpit.render.lines import plain, width
from engine.metrics.band import Band


def series(values, every=10):
    made = Series()
    for index, value in enumerate(values):
        made.append(index * every, value, 1000.0 + index, index / 4)
    return made


def drawn(values, view=None, across=60, down=14, **more):
    return plain(render(Chart("loss", [Trace("a", series(values), 0)], **more), view or View(), across, down))


def test_labels_are_round_numbers_in_equal_steps():
    labels = [float(line[1:7]) for line in drawn(np.linspace(0.2, 6.6, 50)).splitlines() if "┤" in line]
    assert labels == [6.0, 4.0, 2.0, 0.0]


def test_the_x_axis_ends_at_the_planned_step_from_the_beginning():
    assert " 5,000 step" in drawn([1, 2, 3], total=5000.0) and " 20 step" in drawn([1, 2, 3])


def test_the_x_axis_of_an_ended_run_ends_where_its_data_ends():
    assert " 470 step" in drawn(np.arange(48.0)) and " 11.75 epoch" in drawn(np.arange(48.0), View(axis="epoch"))
    assert "0:47 time" in drawn(np.arange(48.0), View(axis="time"))
    rows = [line[8:-1] for line in drawn(np.arange(48.0)).splitlines()[1:-2]]
    assert any(row[-1] != " " for row in rows), "the curve reaches the right edge"
    assert " 500 step" in drawn(np.arange(48.0), growing=True)


def test_epoch_and_time_have_axes_of_their_own():
    assert " 13 epoch" in drawn([1, 2, 3], View(axis="epoch"), total=500.0)
    assert "0:02 time" in drawn([1, 2, 3], View(axis="time"))


def test_what_was_never_reported_is_reported():
    assert "nothing reported yet" in plain(render(Chart("loss"), View(), 60, 14))
    without = Series()
    without.append(1, 2.0, 3.0)
    assert "no epoch was reported" in plain(render(Chart("x", [Trace("a", without, 0)]), View(axis="epoch"), 60, 14))
    assert "every value is NaN" in drawn([math.nan, math.nan])
    assert "no positive value on a log axis" in drawn([-1.0, 0.0], View(log=True))


def test_a_log_axis_makes_an_exponential_straight():
    rows = [line[8:-1] for line in drawn(np.exp(-np.linspace(0, 9, 200)), View(log=True), 80, 20).splitlines()[1:-2]]
    tops = [min((y for y, row in enumerate(rows) if row[x] not in " "), default=None) for x in range(0, 60, 10)]
    steps = np.diff(tops)
    assert steps.max() - steps.min() <= 1 and steps.min() >= 1


def test_the_cursor_reads_the_nearest_point():
    assert "2.000@10" in drawn([1.0, 2.0, 3.0], View(cursor=0.5))


def test_the_cursor_stands_at_the_point_whose_value_it_reads():
    for cursor, cell in ((0.1, 0), (0.3, 25), (0.55, 25), (0.9, 50)):
        lines = render(Chart("loss", [Trace("a", series([1.0, 2.0, 3.0]), 0)]), View(cursor=cursor), 60, 14)
        cells = {
            sum(len(t) for t, _ in line[:i]) for line in lines[1:-2] for i, p in enumerate(line) if p[1] == "cursor"
        }
        assert cells == {8 + cell}, (cursor, cells)


def test_the_cursor_is_seen_on_the_curve_too():
    lines = render(Chart("loss", [Trace("a", series([1.0, 1.0, 1.0]), 0)]), View(cursor=0.5), 60, 14)
    marked = [text for line in lines for text, style in line if style == "cursor"]
    assert len(marked) == 11 and sum(text != "┊" for text in marked) == 1


def test_a_part_of_the_x_axis_is_shown_with_its_ends_and_values():
    view = View()
    view.zoom(0.25)
    text = drawn(np.arange(101.0), view, 60, 14, total=1000.0)
    assert "└ 375 ─" in text and " 625 step" in text and ".25 of x" in text
    labels = [float(line[1:7]) for line in text.splitlines() if "┤" in line]
    assert min(labels) >= 35 and max(labels) <= 65
    view.cursor = 0.0
    assert "38.00@380" in drawn(np.arange(101.0), view, 60, 14, total=1000.0)


def test_going_closer_and_back_and_aside_stays_within_the_axis():
    view = View(cursor=0.8)
    view.zoom(0.5)
    assert (view.left, view.right) == (0.4, 0.9) and view.part
    view.pan(0.5)
    assert (view.left, view.right) == (0.5, 1.0)
    view.pan(-9)
    assert (view.left, view.right) == (0.0, 0.5)
    for _ in range(60):
        view.zoom(0.5)
    assert view.right - view.left == pytest.approx(1e-4)
    for _ in range(60):
        view.zoom(2.0)
    assert (view.left, view.right) == (0.0, 1.0) and not view.part


def test_what_lies_beside_the_part_does_not_stretch_the_y_axis():
    view = View(left=0.5, right=1.0)
    values = np.concatenate((np.full(50, 1000.0), np.linspace(1, 2, 51)))
    labels = [float(line[1:7]) for line in drawn(values[2:], view).splitlines() if "┤" in line]
    assert max(labels) < 10
    assert "╭" in drawn([1.0, 2.0], View(left=0.1, right=0.2), total=100000.0)  # a part without a point


def test_smoothing_keeps_the_raw_curve_behind():
    lines = render(Chart("loss", [Trace("a", series([1, 5] * 40), 0)]), View(smoothing=0.9), 60, 14)
    styles = {style for line in lines for text, style in line if any("\u2801" <= c <= "\u28ff" for c in text)}
    assert {"raw", "series0"} <= styles


def test_a_clip_line_is_drawn_as_far_as_it_is_near():
    def styles(level):
        chart = Chart("grad", [Trace("a", series([0.5, 0.6, 0.7]), 0)], line=level)
        return {style for line in render(chart, View(), 60, 14) for _, style in line}

    assert "warn" in styles(1.0) and "warn" not in styles(50.0)


@pytest.mark.parametrize(("symbols", "allowed"), [("block", "▀▄█"), ("ascii", "'.:")])
def test_terminals_without_braille_get_other_symbols(symbols, allowed):
    text = drawn([1, 5, 2, 7], View(symbols=symbols))
    assert not any("\u2801" <= c <= "\u28ff" for c in text) and any(c in text for c in allowed)


def test_two_charts_do_not_share_their_limits():
    first, second = Chart("a", [Trace("a", series([1, 2]), 0)]), Chart("b", [Trace("b", series([100, 200]), 0)])
    before = plain(render(first, View(), 60, 14))
    render(second, View(), 60, 14)
    assert plain(render(first, View(), 60, 14)) == before


def test_fixed_limits_stay():
    assert Limits((0.0, 100.0)).follow(3.0, 4.0) == (0.0, 100.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=30),
    st.integers(10, 90),
    st.integers(3, 30),
    st.booleans(),
    st.sampled_from([0.0, 0.9]),
    st.sampled_from(["step", "epoch", "time"]),
    st.sampled_from([(0.0, 1.0), (0.3, 0.31), (0.9999, 1.0)]),
)
@example([1.1e-308], 17, 5, False, 0.0, "step", (0.0, 1.0))
@example([0.0, 5e-324], 40, 9, False, 0.9, "step", (0.0, 1.0))
def test_no_numbers_and_no_size_break_the_frame(values, across, down, log, smoothing, axis, part):
    chart = Chart("loss", [Trace("a", series(values), 0), Trace("b", series(values[::-1]), 7)], line=1.0)
    lines = render(chart, View(smoothing, log, axis, 0.4, left=part[0], right=part[1]), across, down)
    assert len(lines) == down and all(width(line) == across for line in lines)


@pytest.mark.parametrize("log", [False, True])
def test_the_axis_has_room_for_the_range_around_a_mean(log):
    mean = series([1.0, 2.0, 3.0])
    around = Band(mean.steps, mean.values, mean.values / 4, mean.values * 4)
    bare = render(Chart("x", [Trace("a", mean, 0)]), View(log=log), 60, 14)
    full = render(Chart("x", [Trace("a", mean, 0, band=around)]), View(log=log), 60, 14)
    assert top_label(full) >= 10 > 4 >= top_label(bare)
    assert braille(full) > 2 * braille(bare)


def top_label(lines):
    return max(float(line[1:7]) for line in plain(lines).splitlines() if "┤" in line)


def braille(lines):
    return sum("\u2801" <= letter <= "\u28ff" for letter in plain(lines))


def test_a_dashed_curve_is_dashed_in_the_legend_too():
    traces = [Trace("one", series([1, 2, 3]), 0), Trace("two", series([2, 3, 4]), 1, dash=4)]
    assert "── one  ┄┄ two" in plain(render(Chart("x", traces), View(), 60, 14)).splitlines()[0]


def two(first, second, view=None, across=60):
    traces = [Trace("loss", series(first), 0, metric="loss"), Trace("lr", series(second), 6, metric="lr")]
    chart = Chart("loss", traces)
    return plain(render(chart, view or View(), across, 14)).splitlines()


def test_a_metric_of_another_scale_has_the_y_axis_on_the_right():
    lines = two([4.0, 5.0, 6.0], [0.001, 0.002, 0.003])
    left = [float(line[1:7]) for line in lines if "┤" in line]
    right = [float(line.split("├")[1].rstrip("│ ")) for line in lines if "├" in line]
    assert min(left) >= 3 and max(left) <= 6 and 0 < max(right) <= 0.003 and "lr →" in lines[0]
    dots = [sum("\u2801" <= letter <= "\u28ff" for letter in line) for line in lines[1:-2]]
    assert all(dots), "both curves use the whole height"
    assert {len(line) for line in lines} == {60}


def test_metrics_of_one_scale_share_the_axis_and_so_do_all_on_a_log_axis():
    assert not any("├" in line for line in two([4.0, 5.0], [2.0, 3.0]))
    assert not any("├" in line for line in two([4.0, 5.0], [0.001, 0.002], View(log=True)))


def test_the_cursor_reads_a_curve_of_the_right_axis_in_its_own_scale():
    assert "5.000@10  .0020@10" in two([4.0, 5.0, 6.0], [0.001, 0.002, 0.003], View(cursor=0.5), 90)[0]


def test_a_legend_counts_the_curves_that_it_has_no_room_for():
    traces = [Trace(f"run{k}", series([1, k]), k) for k in range(9)]
    first = plain(render(Chart("loss", traces), View(), 44, 14)).splitlines()[0]
    assert "── run0" in first and "  +6 " in first and len(first) == 44
    assert "+" not in plain(render(Chart("loss", traces), View(), 200, 14)).splitlines()[0]


def test_the_note_gives_way_to_the_legend():
    traces = [Trace("one", series([1, 2]), 0), Trace("two", series([2, 3]), 1)]
    chart = Chart("loss", traces, note=[("  max 12.34@56,789 and more", "dim")])
    assert "max" not in plain(render(chart, View(), 44, 14)) and "── two" in plain(render(chart, View(), 44, 14))
    assert "max" in plain(render(chart, View(), 90, 14))
