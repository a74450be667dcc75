from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.data.sequences import Rows
from engine.errors import DataError
from engine.recommend.heldout_users import HeldOutUsers, held_out
from engine.recommend.lineage import lineage
from engine.stages import TEST, USERS, VALIDATION


def users(*names: str) -> HeldOutUsers:
    """A user of three items each, the third of which is to come."""
    start = np.arange(0, 3 * len(names), 3)
    return HeldOutUsers(
        "test",
        Rows(np.arange(1, 3 * len(names) + 1, dtype=np.int32), start, start + 2, np.arange(len(names))),
        list(names),
    )


def test_an_evaluation_shows_test_rows_and_any_other_run_validation_rows(seven_stages: Path) -> None:
    for name, split, artifact in (("evaluate", "test", TEST), ("student", "validation", VALIDATION)):
        found = held_out(seven_stages / name, lineage(seven_stages / name))
        rows = Rows.load(seven_stages / "data" / "artifacts" / artifact.file)
        assert (found.split, len(found)) == (split, len(rows))
        assert found.next(3) == rows.targets[3]
        assert found.history(3).tolist() == rows.items[rows.start[3] : rows.stop[3]].tolist()
        raw = pq.read_table(seven_stages / "data" / "artifacts" / USERS.file)["raw"].to_pylist()
        assert found.name(3) == raw[rows.users[3]]
        assert found.find(found.name(3)) == 3


def test_a_users_latest_row_is_taken() -> None:
    one = users("ann", "bob")
    twice = HeldOutUsers("test", Rows(one.rows.items, one.rows.start, one.rows.stop, np.array([1, 1])), one.raw)
    assert twice.find("bob") == 1


def test_an_unknown_user_is_told_of_users_there_are() -> None:
    with pytest.raises(DataError, match="no test row") as error:
        users("anna", "bob").find("ann")
    assert "anna" in error.value.remedy


def test_ids_that_begin_with_the_text_are_found_first() -> None:
    found = users("21", "12", "2", "3")
    assert list(found.search("2")) == [0, 2, 1]
    assert list(found.search("")) == [0, 1, 2, 3]
    assert list(found.search("9")) == []


def test_a_name_is_safe_to_show() -> None:
    assert users("\x1b]0;PWNED\x07eve").name(0) == "eve"
