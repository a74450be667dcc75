import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from engine.report.tables import align, cells, column, fitted, right, short, wrapped

texts = st.text(alphabet="ab 日本é⣿😀", max_size=12)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert align(["model", "n"], [["a", "100"], ["longer", "5"]]) == ["model     n", "a       100", "longer    5"]


def test_a_table_with_wide_titles_lines_up_by_terminal_cells() -> None:
    lines = align(["title", "n"], [["千と千尋の神隠し", "1"], ["Amélie 😀", "20"], ["Alien", "300"]])
    assert lines == ["title               n", "千と千尋の神隠し    1", "Amélie 😀          20", "Alien             300"]
    assert {cells(line) for line in lines} == {21}


@given(st.lists(st.tuples(texts, st.text(alphabet="x東1", min_size=1, max_size=5)), min_size=1, max_size=5))
def test_every_line_of_a_table_ends_in_the_same_cell(rows: list[tuple[str, str]]) -> None:
    assert len({cells(line) for line in align(["名", "n"], rows)}) == 1


@given(texts, st.integers(0, 12))
def test_a_column_has_exactly_its_width(text: str, size: int) -> None:
    assert cells(column(text, size)) == size
    assert cells(right(text, size)) == size


def test_what_is_cut_is_marked() -> None:
    assert short("abcdef", 4) == "abc…"
    assert short("日本語", 4) == "日 …"


def test_columns_that_do_not_fit_follow_below_beside_the_first_one() -> None:
    lines = fitted(["title", "a", "b", "c"], [["映画", "1111", "2222", "3333"]], width=17)
    assert lines == ["title     a     b", "映画   1111  2222", "", "title     c", "映画   3333"]


def test_a_wrapped_text_fits_and_is_indented_after_its_first_line() -> None:
    lines = wrapped("word " * 40)
    assert max(map(len, lines)) <= 80 and len(lines) > 1
    assert all(line.startswith("  word") for line in lines[1:])


def test_the_width_of_plain_text_needs_no_library() -> None:
    code = "import sys, engine.report.tables as t, engine.report.numbers; t.align(['a'], [['b']]); t.column('ab', 1)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('rich' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
