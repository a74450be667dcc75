"""Console lines as drawn pieces."""

import pytest

from cockpit.models.console_lines import level
from cockpit.panes.log import styled, tail
from cockpit.render.lines import plain


@pytest.mark.parametrize(
    ("line", "style"),
    [
        ("ValueError: bad", "bad"),
        ("Traceback (most recent call last):", "bad"),
        ("loss is nan", "bad"),
        ("epoch 3 in nanoseconds", ""),
        ("UserWarning", ""),
        ("warning: slow loader", "warn"),
        ("step 10 loss 1.2", ""),
    ],
)
def test_errors_and_warnings_have_a_style(line, style):
    assert level(line) == style


def test_every_match_of_a_search_is_marked_whatever_its_case():
    assert styled("Loss 1, loss 2", "loss") == [("", ""), ("Loss", "mark"), (" 1, ", ""), ("loss", "mark"), (" 2", "")]
    assert styled("loss", "loss", here=True)[1] == ("loss", "select")
    assert styled("step 1", "loss") == [("step 1", "")]


def test_letters_that_change_their_length_in_lower_case_do_not_shift_the_marks():
    assert styled("İ loss", "loss") == [("İ loss", "")]


def test_the_last_lines_that_fit_are_shown():
    text = plain(tail([f"line {n}" for n in range(9)], 20, 5, [("  note", "dim")]))
    assert [row.strip("│ ") for row in text.splitlines()[1:-1]] == ["line 6", "line 7", "line 8"] and "note" in text
    assert "nothing printed yet" in plain(tail([], 30, 4, []))
