import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.text import clean, clean_lines, clean_values, csv_safe

NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b[]0;m\x07\\\x9b\x9d\x9c\x90PX^_aB\r\n\t\x00\x7f\u202e\u2066\u2028é👩( ?h2J\ud800"),
        st.characters(),
    ),
    max_size=80,
)


def obeyed(text: str) -> list[str]:
    """Characters that a terminal acts on, or that turn the order of others around, or that cannot be printed."""
    return [
        letter
        for letter in text
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(letter) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
    ]


@given(NASTY)
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    assert obeyed(clean(text)) == []
    assert obeyed(clean_lines(text).replace("\n", "")) == []


@given(NASTY, st.integers(0, 50))
def test_cleaning_twice_changes_nothing_and_the_limit_holds(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert len(once) <= limit
    assert clean(once, limit) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain (1995)", "plain (1995)"),
        ("Amélie 👩 你好", "Amélie 👩 你好"),
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("x\x1b]0;TITLE\x07y", "xy"),
        ("x\x1b]52;c;aGk=\x1b\\y", "xy"),
        ("x\x9b2Jy\x9d8;;http://z\x9cw", "xyw"),
        ("x\x1bP1;2|data\x1b\\y", "xy"),
        ("x\x1b]0;never closed", "x"),
        ("10%\r50%\r100%", "100%"),
        ("10%\r50%\r\n", "50%"),
        ("one\r\ntwo\tthree", "one two three"),
        ("a\x00b\x7fc", "a\ufffdb\ufffdc"),
        ("evil\u202etxt.exe", "evil\ufffdtxt.exe"),
        ("\x1b\x1b[2J[2Jx", "[2Jx"),
    ],
)
def test_text_looks_as_a_harmless_terminal_would_show_it(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_lines_stay_lines_and_each_is_cleaned() -> None:
    assert clean_lines("cause\x1b[2J\r\n10%\r20%\nremedy") == "cause\n20%\nremedy"


def test_records_are_cleaned_to_the_last_key() -> None:
    dirty = {"a\x1b[2J": ["x\x07", {"b": "y\u202e", "n": 1.5, "none": None, "flag": True}]}
    assert clean_values(dirty) == {"a": ["x\ufffd", {"b": "y\ufffd", "n": 1.5, "none": None, "flag": True}]}


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_execute_is_marked_as_text(cell: str) -> None:
    assert csv_safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "Toy Story (1995)", "-0.5", "+3", "1e-5", "-1e+05", "a=b"])
def test_a_harmless_cell_stays_as_it_is(cell: str) -> None:
    assert csv_safe(cell) == cell


@given(NASTY)
def test_a_marked_cell_survives_a_csv_file(text: str) -> None:
    cell = csv_safe(clean(text))
    file = io.StringIO()
    csv.writer(file).writerow([cell])
    assert next(csv.reader(io.StringIO(file.getvalue()))) == [cell]
