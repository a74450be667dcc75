"""Blocks of different height, length and darkness."""

import numpy as np

from cockpit.render.heat import bar, heights, squeeze, strip


def test_the_greatest_value_is_a_full_block_and_something_is_never_nothing():
    assert heights([0, 1, 500, 1000], 4) == " ▁▄█"
    assert heights([0.0, 0.0], 4) == "    "


def test_a_bar_counts_eighths_and_shows_the_smallest_share():
    assert bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   "
    assert bar(1e-9, 4) == "▏   "
    assert bar(0, 4) == "    " and bar(7, 4) == "████"


def test_squeezing_keeps_the_mean():
    values = np.arange(12.0)[None]
    assert squeeze(values, 3).tolist() == [[1.5, 5.5, 9.5]]
    assert squeeze(values, 24).shape == (1, 24)


def test_an_even_load_is_half_dark_and_a_dead_expert_is_blank():
    loads = np.array([[0.25, 1.0], [0.25, 0.0], [0.25, 0.0], [0.25, 0.0]])
    rows = strip(loads, 5)
    assert rows[0] == "▒█   " and rows[1] == "▒    "


def test_a_load_that_is_not_a_number_is_blank():
    assert strip(np.array([[np.nan]]), 2) == ["  "]
