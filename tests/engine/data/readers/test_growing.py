"""Columns that grow part by part hold what whole columns would."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.readers import growing
from engine.data.readers.growing import CodedColumn, Part, RatingColumn, TimeColumn, texts_of
from engine.data.sources import Source
from engine.errors import DataError

ids = st.lists(st.lists(st.sampled_from(["a", "b", " a ", "7", "7.0", "007", "x"]), max_size=6), max_size=8)


def part(name: str = "p", first: int = 0) -> Part:
    return Part({}, Source(Path(name)), first)


@given(ids, st.integers(0, 5))
def test_ids_of_parts_are_coded_as_those_of_a_whole(parts: list[list[str]], pending: int) -> None:
    column = CodedColumn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "PENDING", pending)
        for values in parts:
            column.append(pa.chunked_array([pa.array(values, pa.string())]))
        codes, raw = column.ids()
    spelt = {" a ": "a", "7.0": "7"}
    wanted = [spelt.get(value, value) for values in parts for value in values]
    assert [raw[code].as_py() for code in codes] == wanted
    assert raw.to_pylist() == list(dict.fromkeys(wanted)) and codes.dtype == np.int32


@given(st.lists(st.lists(st.integers(-3, 3), min_size=1), min_size=1), st.integers(0, 5), st.booleans())
def test_whole_numbers_are_the_texts_that_they_are(parts: list[list[int]], pending: int, mixed: bool) -> None:
    column = CodedColumn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "PENDING", pending)
        for number, values in enumerate(parts):
            own = pa.array([str(value) for value in values]) if mixed and number % 2 else pa.array(values)
            column.append(pa.chunked_array([own.dictionary_encode()]))
        codes, raw = column.ids()
    assert [raw[code].as_py() for code in codes] == [str(value) for values in parts for value in values]
    assert len(set(raw.to_pylist())) == len(raw)


def test_a_text_that_is_not_there_is_empty_and_stays_as_it_is_written() -> None:
    column = CodedColumn()
    for values in (["A  film", None], ["NULL", "7.0"]):
        column.append(pa.chunked_array([pa.array(values, pa.string())]))
    codes, texts = column.texts()
    assert [texts[code].as_py() for code in codes] == ["A  film", "", "", "7.0"]


@given(st.lists(st.lists(st.sampled_from([0.5, 3.0, 4.7, 2049.0, float("nan"), 1e30]), max_size=4), max_size=4))
def test_ratings_stay_exactly_what_they_are(parts: list[list[float]]) -> None:
    column = RatingColumn()
    for values in parts:
        column.append(np.array(values, dtype=np.float32))
    wanted = np.array([value for values in parts for value in values], dtype=np.float32)
    assert np.array_equal(column.values().astype(np.float32), wanted, equal_nan=True)
    exact = all(value in (0.5, 3.0) or value != value for values in parts for value in values)
    assert column.values().dtype == (np.float16 if exact else np.float32)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([[3, 4], [5]], np.int32),
        ([[3, 4], [2**31]], np.int64),
        ([[2**40], [3 + 2**40]], np.int64),
        ([[3.0], [4.0]], np.int32),
        ([[3], [4.5]], np.float64),
        ([[3.5], [4]], np.float64),
        ([[], [4]], np.int32),
    ],
)
def test_times_are_as_narrow_as_they_can_be(parts: list[list[float]], kind: type) -> None:
    column = TimeColumn()
    for values in parts:
        column.append(pa.chunked_array([pa.array(values, pa.float64() if not values else None)]), part())
    assert column.values().dtype == kind
    assert column.values().tolist() == [value for values in parts for value in values]


def test_times_of_another_unit_in_a_later_part_are_named_by_their_row() -> None:
    column = TimeColumn()
    column.append(pa.chunked_array([[0, 1_600_000_000, 1_600_000_001]]), part("one"))
    column.append(pa.chunked_array([[1_600_000_002]]), part("two"))
    column.append(pa.chunked_array([[1_600_000_003, 1_600_000_004_000]]), part("two", 1))
    with pytest.raises(DataError, match="another unit") as error:
        column.values()
    assert error.value.location == "two, row 3"


def test_times_of_another_kind_in_a_later_part_are_refused() -> None:
    column = TimeColumn()
    column.append(pa.chunked_array([[1_600_000_000]]), part("one"))
    with pytest.raises(DataError, match="are dates with a zone, and those of one are numbers") as error:
        column.append(pa.chunked_array([pa.array([0], pa.timestamp("us", "UTC"))]), part("two"))
    assert error.value.location == "two"


def test_codes_of_numbers_become_texts() -> None:
    assert texts_of(pa.array([5, 5, 7]).dictionary_encode()).to_pylist() == ["5", "5", "7"]
