"""Ids as files write them: one spelling for one id, and the words that stand for none.

Blanks around an id do not count, and a whole number with a point is that number (``1019.0``, ``1.019e+03``): programs
that know only floats write so. Everything else is kept letter by letter, leading zeros too. Letters: E events, N ids.
"""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.sequences import BLOCK

MISSING = pa.array(["", "nan", "NaN", "NAN", "NULL", "null", "None", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaT", "\\N"])
_POINT = r"^(-?(?:0|[1-9][0-9]*))\.0*$"
_EXPONENT = r"^-?[0-9](?:\.[0-9]+)?[eE]\+[0-9]{1,3}$"  # with the sign that printf writes: '1E5' may be a name


def normalised(raw: pa.Array) -> pa.Array:  # [N] text -> [N] text
    """The one spelling of every id."""
    raw = pc.replace_substring_regex(pc.utf8_trim_whitespace(raw), _POINT, r"\1")
    floats = pc.match_substring_regex(raw, _EXPONENT)
    if not pc.any(floats).as_py():
        return raw
    return pc.if_else(floats, pa.array([_whole(value) for value in raw.to_pylist()], pa.string()), raw)


def missing(raw: pa.Array) -> pa.Array:  # [N] text -> [N] bool
    """Which ids are none."""
    return pc.is_in(pc.utf8_trim_whitespace(raw), value_set=MISSING)


def merged(codes: NDArray[np.int32], raw: pa.Array, own: bool = False) -> tuple[NDArray[np.int32], pa.Array]:
    """Codes [E] and their ids [N] with one code for every id, however it was written; ``own``: they may be changed."""
    once = normalised(raw).dictionary_encode()
    if len(once.dictionary) < len(raw):
        codes = codes if own else codes.copy()
        recode(codes, np.asarray(once.indices))
    return codes, once.dictionary


def recode(codes: NDArray[np.int32], new: NDArray[np.int32]) -> None:  # [E], [N]
    """Put the new code of every code in its place."""
    for begin in range(0, len(codes), BLOCK):
        codes[begin : begin + BLOCK] = new[codes[begin : begin + BLOCK]]


def padded(raw: pa.Array) -> list[str]:  # [N]
    """Ids with leading zeros whose number without them is an id as well: they are kept apart, which may be wrong."""
    zeros = raw.filter(pc.match_substring_regex(raw, "^0+[0-9]+$"))
    found = pc.is_in(pc.replace_substring_regex(zeros, "^0+([0-9]+)$", r"\1"), value_set=raw)
    result: list[str] = zeros.filter(found).to_pylist()
    return result


def _whole(value: str) -> str:
    try:
        number = Decimal(value)
    except ArithmeticError:
        return value
    return str(int(number)) if number == number.to_integral_value() else value
