"""Faults and tracebacks of a console, and how long lines are shown."""

from hypothesis import given
from hypothesis import strategies as st

from cockpit.models.console_lines import beside, faults, last_fault, split_line, tracebacks
from engine.report.tables import cells

TRACE = [
    "Traceback (most recent call last):",
    '  File "a.py", line 1, in run',
    "    work()",
    "",
    "  File over there",
    "ValueError: broken",
]


def test_a_traceback_reaches_to_the_line_that_names_the_exception():
    lines = ["epoch 1", *TRACE, "epoch 2", "WARNING: slow", *[f"[rank1]: {line}" for line in TRACE], "bye"]
    assert tracebacks(lines) == [range(1, 7), range(9, 15)]
    assert faults(lines) == [*range(1, 7), 8, *range(9, 15)]
    assert last_fault(lines) == range(9, 15)


def test_a_traceback_that_is_being_written_reaches_to_the_end():
    assert tracebacks(["a", *TRACE[:3]]) == [range(1, 4)]


def test_without_a_traceback_the_last_error_counts_and_a_warning_does_not():
    assert last_fault(["error: a", "x", "error: b", "WARNING: c"]) == range(2, 3)
    assert not last_fault(["WARNING: c"])


@given(st.text(alphabet="ab 映画é", max_size=60), st.integers(2, 20))
def test_folding_keeps_every_sign_and_no_part_is_too_wide(line, width):
    parts = split_line(line, width)
    assert "".join(parts) == line and all(cells(part) <= width for part in parts)


@given(st.text(alphabet="ab 映画é", max_size=60), st.integers(0, 30), st.integers(2, 20))
def test_a_cut_line_fits_and_marks_what_is_left_out(line, left, width):
    shown = beside(line, left, width)
    assert cells(shown) <= width
    assert shown.endswith("›") == (cells(("‹" + line[left + 1 :]) if left else line) > width)
    assert shown.startswith("‹") == bool(left and line)
