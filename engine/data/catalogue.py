"""The items table: how it is made, and reading its columns.

Letters: n items, C catalogue entries.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.data import ids
from engine.data.interactions import Catalogue
from engine.data.titles import description, shown


def items_table(raw: pa.Array, seen: NDArray[np.int64], catalogue: Catalogue | None) -> pa.Table:
    """One row per item id 1..n: id, raw id, title, text, times seen in training.

    raw [n] in order of the ids, seen [n + 1]. Of an item's entries the first that is not empty counts.
    """
    titles, texts = _looked_up(raw, catalogue)
    names = [shown(title, name) for title, name in zip(titles, raw.to_pylist(), strict=True)]
    return pa.table(
        {
            "id": np.arange(ids.PADDING + 1, ids.rows(len(raw)), dtype=np.int32),
            "raw": raw,
            "title": pa.array(names, pa.string()),
            "text": pa.array([description(text) for text in texts], pa.string()),
            "seen": seen[ids.PADDING + 1 :],
        }
    )


def titles(path: Path) -> list[str]:
    """Title of every item id from an items file; the padding's is ''."""
    return ["", *column(path, "title")]


def texts(path: Path) -> list[str]:
    """More about every item id, without the title; the padding's is ''."""
    return ["", *column(path, "text")]


def cold(path: Path) -> NDArray[np.bool_]:  # [n + 1]
    """Items that were never seen in training; the padding is none of them."""
    return np.concatenate([[False], np.asarray(column(path, "seen")) == 0])


def column(path: Path, name: str) -> list[Any]:
    """A column of an items or users file."""
    # Not read_table: it imports pyarrow's data sets and pandas, which takes a quarter of a second.
    found: list[Any] = pq.ParquetFile(path).read(columns=[name])[name].to_pylist()
    return found


def repeated_titles(table: pa.Table) -> int:
    """How many items share their title with another one."""
    counts = Counter(table["title"].to_pylist())
    return sum(count for count in counts.values() if count > 1)


def _looked_up(raw: pa.Array, catalogue: Catalogue | None) -> tuple[list[str], list[str]]:
    """Title and text of every raw id, '' where there is none."""
    if catalogue is None:
        return [""] * len(raw), [""] * len(raw)

    def first(column: pa.Array) -> list[str]:
        filled = pc.not_equal(pc.utf8_trim_whitespace(column), "")
        index = pc.index_in(raw, value_set=catalogue.raw.filter(filled))
        found: list[str] = pc.fill_null(column.filter(filled).take(index), "").to_pylist()
        return found

    return first(catalogue.title), first(catalogue.text)
