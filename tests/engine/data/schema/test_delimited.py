"""How a delimited file is written, found from its content."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.schema.delimited import has_header, rows, separator, spelt, usual

MARKS = ",;|\t"
CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


def written(table: list[list[str]], mark: str, end: str = "\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark, lineterminator=end).writerows(table)
    return out.getvalue()


@given(st.sampled_from(MARKS), st.sampled_from(MARKS), st.sampled_from(["\n", "\r\n"]), st.data())
def test_a_table_of_any_writing_is_cut_as_it_was_written(
    mark: str, promised: str, end: str, data: st.DataObject
) -> None:
    body = data.draw(st.lists(st.tuples(CELL, CELL, CELL).map(list), min_size=1, max_size=9))
    table = [["userId", "product_id", "product_name"], *body]
    text = written(table, mark, end)
    found = separator(text, promised, quoted=True)
    assert found == mark and rows(text, found, quoted=True) == table
    assert has_header(table)


@given(st.lists(st.tuples(st.integers(), st.integers(), st.floats(0, 5)), min_size=2, max_size=9))
def test_rows_that_look_alike_have_no_header(numbers: list[tuple[int, int, float]]) -> None:
    assert has_header([[str(cell) for cell in row] for row in numbers]) is False
    assert has_header([["a", "b", "c"], *([str(cell) for cell in row] for row in numbers)]) is True


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ([["u", "a"], ["v", "b"]], None),  # texts alone: nothing shows it
        ([["u", "a"], ["v", "b"], ["u", "c"]], False),
        ([["user", "thing"], ["v", "b"]], True),
        ([["user", "a"], ["item", "b"], ["user", "c"]], False),
    ],
)
def test_texts_show_a_header_by_names_and_none_by_repetition(table: list[list[str]], wanted: bool | None) -> None:
    assert has_header(table) is wanted


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("1 2 3\n1 3 4\n", "x.txt", " "),
        ("a,2020-01-01 10:00\nb,2020-01-01 11:00\n", "x.csv", ","),
        ("1;2;4,5\n1;3;3,0\n", "x.csv", ";"),
        ("one\ntwo\n", "x.csv", ","),
        ("one\ntwo\n", "x.tsv", "\t"),
        ("u\tA, B\nv\tC, D\n", "x.txt", "\t"),
    ],
)
def test_the_mark_that_cuts_best_is_the_separator(text: str, name: str, wanted: str) -> None:
    assert separator(text, usual(name), quoted=True) == wanted


def test_separators_are_spelt_out() -> None:
    assert [spelt(mark) for mark in ",;\t| #"] == ["comma", "semicolon", "tab", "pipe", "space", "#"]
