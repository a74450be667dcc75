"""Columns of delimited files."""

from typing import Any

import numpy as np
import pytest

from engine.data.readers.delimited import ID, TIME, Dialect, codes, table, time_problem, times
from engine.data.sources import Source
from engine.errors import DataError


@pytest.mark.parametrize(
    "good",
    [[], [0, 0], [0, 881250949], [1, 2, 3], [881250949, 1700000000], [1588687728923, 0, 1588687728924], [10**18] * 2],
)
def test_times_of_one_unit_are_fine(good: list[int]) -> None:
    assert time_problem(np.array(good, dtype=np.int64)) is None


@pytest.mark.parametrize(
    ("bad", "first"), [([5, -1], 1), ([881250949, 881250949000, 7], 1), ([10**15, 10**12, 10**18], 0)]
)
def test_times_before_1970_or_of_two_units_are_found(bad: list[int], first: int) -> None:
    found = time_problem(np.array(bad, dtype=np.int64))
    assert found is not None and found[0] == first


def test_ids_keep_their_spelling_across_blocks(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.data.readers.delimited.BLOCK", 64)
    raw = [f"{number % 7:03d}" if number % 2 else str(number % 7) for number in range(500)]
    source = Source(sets.write("a.csv", "x\n" + "\n".join(raw) + "\n"))
    code, values = codes(table(source, Dialect(","), {"x": ID})["x"])
    assert [values[folder].as_py() for folder in code] == raw and len(values) == len(set(raw))


def test_the_line_of_a_fault_counts_blank_lines_and_quoted_breaks(sets: Any) -> None:
    source = Source(sets.write("a.csv", 'x,y\n"two\nlines",1\n\nfine,2\nbad,soon\n'))
    with pytest.raises(DataError) as error:
        table(source, Dialect(","), {"x": ID, "y": TIME})
    assert error.value.location.endswith("a.csv:6")


def test_whole_numbers_written_with_a_point_are_whole(sets: Any) -> None:
    source = Source(sets.write("a.csv", "t\n881250949.0\n5\n"))
    found = times(table(source, Dialect(","), {"t": TIME})["t"])
    assert found.dtype == np.int64 and found.tolist() == [881250949, 5]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_and_long_fields_do_not_hide_a_fault(sets: Any, mark: str) -> None:
    source = Source(sets.write("a.csv", f"{mark}x,y\n" + f"{'long' * 50_000},1\n" + "b,soon\n"))
    with pytest.raises(DataError, match="y is 'soon'") as error:
        table(source, Dialect(","), {"x": ID, "y": TIME})
    assert error.value.location.endswith("a.csv:3")


@pytest.mark.parametrize(
    ("last", "cut"),
    [("160226977", True), ("1602269", True), ("160226977\n", False), ("1602269771", False), ("16022697723", False)],
)
def test_a_time_that_lost_its_last_digits_is_refused(sets: Any, last: str, cut: bool) -> None:
    source = Source(sets.write("a.csv", f"x,t\na,1602269772\nb,1602269773\nc,{last}"))
    if cut:
        with pytest.raises(DataError, match="it was cut") as error:
            table(source, Dialect(","), {"x": ID, "t": TIME})
        assert error.value.location.endswith("a.csv:4")
    else:
        assert len(table(source, Dialect(","), {"x": ID, "t": TIME})) == 3


def test_small_counters_as_times_and_a_time_before_another_column_may_be_smaller_at_the_end(sets: Any) -> None:
    counters = Source(sets.write("a.csv", "x,t\na,10\nb,11\nc,9"))
    inner = Source(sets.write("b.csv", "t,x\n1602269772,a\n1602269773,b\n160226977,c"))
    for source in (counters, inner):
        assert len(table(source, Dialect(","), {"x": ID, "t": TIME})) == 3
