"""A table whose settings name columns that are not there."""

from pathlib import Path

import pytest

from engine import config
from engine.data.loading import load
from engine.errors import DataError


def refused(path: Path, text: str) -> str:
    """The remedy for the column 'usr' of a file with this text."""
    path.write_text(text, encoding="utf-8")
    words = ["data=table", f"data.path={path}", "data.columns.user=usr", "data.columns.item=item_id"]
    with pytest.raises(DataError, match="there is no column 'usr'") as error:
        load(config.load(words).data, lambda *progress: None, lambda warning: None)
    return str(error.value.remedy)


def test_columns_that_would_have_been_found_are_named(tmp_path: Path) -> None:
    remedy = refused(tmp_path / "ratings.csv", "user_id,item_id,timestamp\n1,a,1700000000\n2,b,1700000100\n")
    assert remedy.startswith("Its columns are: user_id, item_id, timestamp.")
    assert remedy.endswith("found: data.columns.user=user_id data.columns.item=item_id data.columns.time=timestamp")


def test_where_a_look_at_the_file_finds_no_columns_none_are_suggested(tmp_path: Path) -> None:
    remedy = refused(tmp_path / "odd.csv", "aa,item_id,bb\n1,a,7\n2,b,8\n")
    assert remedy.startswith("Its columns are: aa, item_id, bb.") and "found" not in remedy
