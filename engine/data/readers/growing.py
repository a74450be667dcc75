"""Columns of events that grow part by part, as narrow as they can be: what a table is read into.

Letters: E events, C codes.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data import raw_ids
from engine.data.readers.delimited import TIME_REMEDY, time_problem, times, unit_of
from engine.data.sources import Source
from engine.errors import DataError

PENDING = 1 << 20  # ids of parts at least that wait until all of them are looked up at once


@dataclass(frozen=True)
class Part:
    """Some rows of a table. A reader takes the columns out, so that they give their memory back one by one."""

    columns: dict[str, pa.ChunkedArray]
    source: Source
    first: int = 0  # row of the file with which it begins


class GrowingColumn:
    """An array [E] that takes no more memory than its values."""

    def __init__(self, dtype: Any) -> None:
        self.values = np.empty(0, dtype=dtype)

    def append(self, part: NDArray[Any]) -> None:
        begin = len(self.values)
        self.values.resize(begin + len(part), refcheck=False)  # a large array grows without being copied
        self.values[begin:] = part

    def widen(self, dtype: Any) -> None:
        self.values = self.values.astype(np.promote_types(self.values.dtype, dtype), copy=False)


class RatingColumn:
    """Ratings as float16 as long as this changes none of them, else as float32; NaN where there is none."""

    def __init__(self) -> None:
        self._ratings = GrowingColumn(np.float16)

    def append(self, part: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):
            narrow = np.array_equal(part.astype(np.float16), part, equal_nan=True)
        self._ratings.widen(np.float16 if narrow else np.float32)
        self._ratings.append(part)

    def values(self) -> NDArray[Any]:
        """All ratings [E]."""
        return self._ratings.values


class CodedColumn:
    """Ids or texts as codes in order of their first occurrence; '' where there is nothing."""

    def __init__(self) -> None:
        self._codes = GrowingColumn(np.int32)
        self._known = pa.array([], pa.string())
        self._pending: list[tuple[int, pa.Array]] = []  # first event of a part, and what its own codes are
        self._waiting = 0

    def append(self, column: pa.ChunkedArray) -> None:
        for chunk in column.chunks:
            coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
            if coded.null_count:
                coded = pc.fill_null(texts_of(coded), "").dictionary_encode()
            if len(coded):
                self._pending.append((len(self._codes.values), coded.dictionary))
                self._codes.append(np.asarray(coded.indices))
                self._waiting += len(coded.dictionary)
            if self._waiting > max(PENDING, len(self._known)):
                self._merge()

    def ids(self) -> tuple[NDArray[np.int32], pa.Array]:
        """Code of every event [E] and the id of every code [C]: one, however it was written."""
        self._merge()
        codes, raw = raw_ids.merged(self._codes.values, self._known.cast(pa.string()), own=True)
        return codes, raw

    def texts(self) -> tuple[NDArray[np.int32], pa.Array]:
        """Code of every event [E] and the text of every code [C], '' for words that stand for nothing."""
        self._merge()
        known = self._known.cast(pa.string())
        return self._codes.values, pc.if_else(raw_ids.missing(known), "", known)

    def _merge(self) -> None:
        """One code for every id, where parts had their own."""
        found = [*([self._known] if len(self._known) else []), *(own for _, own in self._pending)]
        if not self._pending:
            return
        if len({str(own.type) for own in found}) > 1:
            found = [own.cast(pa.string()) for own in found]
        once = pa.chunked_array(found).dictionary_encode()
        ends = [*(begin for begin, _ in self._pending[1:]), len(self._codes.values)]
        new = once.chunks[len(found) - len(self._pending) :]
        for (begin, _), end, code in zip(self._pending, ends, new, strict=True):
            raw_ids.recode(self._codes.values[begin:end], np.asarray(code.indices))
        self._known, self._pending, self._waiting = once.chunk(0).dictionary, [], 0


class TimeColumn:
    """Times as int32 or int64, as float64 where some are fractions; all in one unit."""

    def __init__(self) -> None:
        self._times = GrowingColumn(np.int32)
        self._parts: list[tuple[int, Part]] = []  # first event of each
        self._form = ""
        self._lowest, self._highest = np.inf, 0.0

    def append(self, column: pa.ChunkedArray, part: Part) -> None:
        """Raises DataError where the times are of another kind than those before."""
        form = _form(column.type)
        if self._form not in ("", form):
            raise DataError(
                f"the times are {form}, and those of {self._parts[-1][1].source} are {self._form}",
                location=str(part.source),
                remedy=TIME_REMEDY,
            )
        self._form = form
        found = times(column)
        if not len(found):
            return
        narrow = found.dtype.kind == "i" and found.max() <= np.iinfo(np.int32).max
        self._parts.append((len(self._times.values), Part({}, part.source, part.first)))
        self._times.widen(np.int32 if narrow else found.dtype)
        self._times.append(found)
        positive = found if found.min() > 0 else found[found > 0]
        self._lowest = min(self._lowest, positive.min()) if len(positive) else self._lowest
        self._highest = max(self._highest, found.max())

    def values(self) -> NDArray[Any]:
        """All times [E]. Raises DataError where some are in another unit than others."""
        values = self._times.values
        if self._highest and unit_of(self._lowest) != unit_of(self._highest) and (found := time_problem(values)):
            index, cause = found
            begin, part = self._parts[bisect_right(self._parts, index, key=lambda one: one[0]) - 1]
            raise DataError(cause, location=f"{part.source}, row {part.first + index - begin + 1}", remedy=TIME_REMEDY)
        return values.astype(np.int64) if not len(values) else values


def texts_of(column: Any) -> Any:
    """An array of ids or texts, as codes or not, as an array of texts."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _form(type: pa.DataType) -> str:
    if not pa.types.is_temporal(type):
        return "numbers"
    return "dates with a zone" if getattr(type, "tz", None) else "dates"
