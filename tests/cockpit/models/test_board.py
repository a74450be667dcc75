"""Lines of a board, their order, and positions on an axis."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.models.board import columns, lines, ordered, position
from engine.wire import Board, BoardMetric, BoardRow, BoardRun, Spread


def board(*means, best=0):
    """A row for each mean: two seeds, a number and a text as settings; a mean of None: nothing has finished."""
    rows = []
    for index, mean in enumerate(means):
        runs = [BoardRun(f"r{index}{seed}", seed, "DONE", 10.0 * index + seed, 1000 * index) for seed in (1, 2)]
        figures = {} if mean is None else {"val": Spread(mean, 0.01, 2, [mean - 0.1, mean + 0.1])}
        finished = [] if mean is None else [run.id for run in runs]
        rows.append(BoardRow([index, f"k{-index}"], runs, finished, figures, 10.0 * index, 1000 * index))
    metrics = [BoardMetric("val", "max"), BoardMetric("loss", "min")]
    return Board("sweep", "student", ["s.rate", "s.kind"], metrics, "val", rows, best, [], "", "")


def test_a_line_is_a_setting_or_a_run():
    one = board(0.3, 0.5, best=1)
    assert [line.seeds for line in lines(one, single=False)] == [(1, 2), (1, 2)]
    single = lines(one, single=True)
    assert [(line.runs, line.figures["val"].mean) for line in single[:2]] == [
        (("r01",), pytest.approx(0.2)),
        (("r02",), 0.4),
    ]
    assert [line.best for line in single] == [False, False, True, True]
    assert [line.seconds for line in single] == [1.0, 2.0, 11.0, 12.0]


def test_a_metric_is_sorted_best_first_and_what_has_none_comes_last_both_ways():
    one = board(0.3, None, 0.5, 0.1)
    found = lines(one, single=False)
    assert [line.runs[0] for line in ordered(one, found, "val", False)] == ["r21", "r01", "r31", "r11"]
    assert [line.runs[0] for line in ordered(one, found, "val", True)] == ["r31", "r01", "r21", "r11"]


@pytest.mark.parametrize("column", ["s.rate", "time", "memory", "seeds"])
def test_settings_seeds_time_and_memory_are_sorted_ascending(column):
    one = board(0.3, 0.2, 0.5)
    found = list(reversed(lines(one, single=False)))
    order = [line.runs[0] for line in ordered(one, found, column, False)]
    assert order == (["r21", "r11", "r01"] if column == "seeds" else ["r01", "r11", "r21"])  # equal ones stay
    assert column in columns(one)


def test_numbers_come_before_texts():
    one = board(0.1, 0.2, 0.3)
    for row, value in zip(one.rows, ["b", 3, "a"], strict=True):
        row.values[0] = value
    found = ordered(one, lines(one, single=False), "s.rate", False)
    assert [line.values[0] for line in found] == [3, "a", "b"]


def test_numbers_stand_on_an_axis_by_their_size_or_over_a_wide_range_by_their_logarithm():
    assert position([1, 3, 2]) == [0.0, 1.0, 0.5]
    assert position([1e-4, 1e-2, 1e-3]) == pytest.approx([0.0, 1.0, 0.5])


def test_texts_stand_on_an_axis_in_equal_steps():
    assert position(["gru", "sasrec", "caser"]) == [0.5, 1.0, 0.0]
    assert position([True, False]) == [1.0, 0.0]


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-5, 5), st.floats(-1e6, 1e6), st.booleans(), st.text(max_size=3)), min_size=1
    )
)
def test_positions_are_on_the_axis(values):
    found = position(values)
    assert len(found) == len(values) and all(math.isnan(one) or 0 <= one <= 1 for one in found)
