"""One spelling for one id."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.raw_ids import merged, missing, normalised, padded

BLANKS = st.text(" \t\u00a0", max_size=2)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["", ".", ".0", ".00"]), BLANKS, BLANKS)
def test_a_whole_number_is_one_id_however_it_is_written(number: int, point: str, before: str, after: str) -> None:
    assert normalised(pa.array([f"{before}{number}{point}{after}"])).to_pylist() == [str(number)]


@pytest.mark.parametrize(("written", "wanted"), [("1e+06", "1000000"), ("1.019e+03", "1019"), ("-2E+02", "-200")])
def test_exponents_with_a_sign_are_numbers(written: str, wanted: str) -> None:
    assert normalised(pa.array([written, "x"])).to_pylist() == [wanted, "x"]


@pytest.mark.parametrize(
    "kept", ["007", "007.0", "1.5", "1.019e+01", "1E5", "B00E+7", "v1.0", "1.0.0", "a b", "Nan", "none", "0.0.", "é"]
)
def test_other_ids_keep_their_letters(kept: str) -> None:
    assert normalised(pa.array([kept])).to_pylist() == [kept] and missing(pa.array([kept])).to_pylist() == [False]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=20))
def test_normalising_twice_is_normalising_once(raw: list[str]) -> None:
    once = normalised(pa.array(raw, pa.string()))
    assert normalised(once).to_pylist() == once.to_pylist()


@pytest.mark.parametrize("word", ["", "  ", "nan", "NaN", "NULL", "null", " None ", "NA", "<NA>", "\\N"])
def test_words_for_nothing_are_no_ids(word: str) -> None:
    assert missing(pa.array([word, "a"])).to_pylist() == [True, False]


def test_codes_follow_their_ids() -> None:
    codes, raw = merged(np.array([0, 1, 2, 3, 1], dtype=np.int32), pa.array(["7", " 7", "8", "7.0"]))
    assert [raw[code].as_py() for code in codes] == ["7", "7", "8", "7", "7"] and raw.to_pylist() == ["7", "8"]


def test_ids_that_differ_in_leading_zeros_are_found() -> None:
    assert padded(pa.array(["007", "7", "08", "0", "10", "00"])) == ["007", "00"]
    assert padded(pa.array(["007", "008"])) == []
