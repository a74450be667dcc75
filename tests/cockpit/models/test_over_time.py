"""Rows over steps: thinned out, rewound, and averaged into cells."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cockpit.models.over_time import OverTime


def made(*rows, kept=2048):
    out = OverTime(kept)
    for step, row in rows:
        out.append(step, row)
    return out


def test_the_older_half_gets_coarser_and_the_newest_rows_stay():
    out = made(*((step, [step]) for step in range(101)), kept=100)
    assert out.steps[:3] == [0, 2, 4] and out.steps[-2:] == [99, 100] and out.count == 76
    assert out.matrix().tolist() == [out.steps]


def test_an_earlier_step_replaces_later_rows():
    out = made((1, [1.0]), (2, [2.0]), (3, [3.0]), (1.5, [9.0]))
    assert out.steps == [1, 1.5] and out.matrix().tolist() == [[1.0, 9.0]]
    out.rewind(0)
    assert out.count == 0 and out.over(5).shape == (0, 5)


def test_rows_of_another_length_begin_anew():
    assert made((1, [1.0, 2.0]), (2, [3.0])).steps == [2]


def test_cells_are_means_of_their_part_of_the_steps_not_of_the_rows():
    out = made((0, [1.0, 0.0]), (1, [3.0, 0.0]), (100, [5.0, math.nan]))
    assert out.over(2).tolist()[0] == [2.0, 5.0] and math.isnan(out.over(2)[1, 1])
    assert out.over(4)[0].tolist() == [2.0, 2.0, 2.0, 5.0]  # a part without a row keeps the last
    assert made((7, [4.0])).over(3).tolist() == [[4.0] * 3]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 40))
def test_no_cell_leaves_the_range_of_the_rows(values, size):
    cells = made(*((step * step, [value]) for step, value in enumerate(values))).over(size)
    assert cells.shape == (1, size) and np.isfinite(cells).all()
    assert min(values) - 1e-6 <= cells.min() and cells.max() <= max(values) + 1e-6
