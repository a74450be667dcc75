"""The table of items."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.catalogue import items_table, repeated_titles, texts, titles
from engine.data.interactions import Catalogue


def catalogue(*entries: tuple[str, str, str]) -> Catalogue:
    raw, title, text = (pa.array(list(column), pa.string()) for column in zip(*entries, strict=True))
    return Catalogue(raw, title, text, complete=False)


def test_titles_are_joined_by_raw_id_and_the_first_entry_counts() -> None:
    known = catalogue(("b", "Bee", "insect"), ("x", "Unused", ""), ("a", "Ant", ""), ("b", "Bee again", ""))
    table = items_table(pa.array(["a", "b", "c"]), np.array([0, 4, 0, 2]), known)
    assert table.to_pylist() == [
        {"id": 1, "raw": "a", "title": "Ant", "text": "", "seen": 4},
        {"id": 2, "raw": "b", "title": "Bee", "text": "insect", "seen": 0},
        {"id": 3, "raw": "c", "title": "item c", "text": "", "seen": 2},
    ]


def test_a_set_without_a_catalogue_has_names_made_of_raw_ids() -> None:
    table = items_table(pa.array(["7", "8"]), np.array([0, 1, 1]), None)
    assert table["title"].to_pylist() == ["item 7", "item 8"]


def test_items_that_share_a_title_are_counted() -> None:
    known = catalogue(("a", "Same", ""), ("b", "Same", ""), ("c", "Other", ""))
    assert repeated_titles(items_table(pa.array(["a", "b", "c"]), np.zeros(4, dtype=np.int64), known)) == 2


def test_titles_and_texts_are_read_back_under_their_ids(tmp_path: Path) -> None:
    known = catalogue(("a", "Ant", "insect"), ("b", "", ""))
    pq.write_table(items_table(pa.array(["a", "b"]), np.zeros(3, dtype=np.int64), known), tmp_path / "items.parquet")
    assert titles(tmp_path / "items.parquet") == ["", "Ant", "item b"]
    assert texts(tmp_path / "items.parquet") == ["", "insect", ""]
