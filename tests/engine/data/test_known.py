"""A set that has grown since a former run keeps its ids."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import load
from engine.data import ids
from engine.data.catalogue import column
from engine.data.known import Known
from engine.data.prepare import prepare
from engine.data.sequences import Rows, Sequences
from engine.data.stage import run as data
from engine.data.stretches import histories
from engine.errors import DataError
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, RunInfo, Summary
from engine.stages import ITEMS, PROFILE, SEQUENCES, TEST, USERS

OLD = [(user, item, 10 * user + item) for user in (20, 30, 10) for item in (5, 7, 9, 50)]
NEW = [(user, item, 1000 + item) for user in (20, 15, 5) for item in (5, 6, 8, 100)]


def written(path: Path, events: list[tuple[int, int, int]]) -> str:
    path.write_text("user,item,time\n" + "".join(f"{u},{i},{t}\n" for u, i, t in events))
    return str(path)


def finished(root: Path, name: str, *overrides: str) -> Path:
    folder = root / name
    folder.mkdir()
    RunInfo(name, "data", "try", 1, "f").write(folder)
    with Run.open(folder) as run:
        data(load(["data=table", *overrides]), run)
    return folder / ARTIFACTS


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, Path]:
    """Artifacts before and after the set grew."""
    before = finished(tmp_path, "data-1", "data.path=" + written(tmp_path / "a.csv", OLD))
    after = finished(tmp_path, "data-2", "data.path=" + written(tmp_path / "b.csv", OLD + NEW), "data.known=data-1")
    return before, after


def test_known_ids_are_kept_and_new_ones_follow_in_natural_order(grown: tuple[Path, Path]) -> None:
    before, after = grown
    assert column(before / ITEMS.file, "raw") == ["5", "7", "9", "50"]
    assert column(after / ITEMS.file, "raw") == ["5", "7", "9", "50", "6", "8", "100"]
    assert column(after / USERS.file, "raw") == ["10", "20", "30", "5", "15"]


def test_histories_of_known_users_go_on_under_the_same_ids(grown: tuple[Path, Path]) -> None:
    before, after = (Sequences.load(folder / SEQUENCES.file) for folder in grown)
    old, new = (dict(zip(s.users.tolist(), np.split(s.items, s.offsets[1:-1]), strict=True)) for s in (before, after))
    assert all(np.array_equal(new[user][: len(items)], items) for user, items in old.items())
    tests = [Rows.load(folder / TEST.file) for folder in grown]
    assert [int(rows.targets[rows.users == 1][0]) for rows in tests] == [4, 7]  # user 20: item 50, now item 100


def test_the_run_says_what_is_new(grown: tuple[Path, Path]) -> None:
    _, after = grown
    known = json.loads((after / PROFILE.file).read_text())["known"]
    assert known == {
        "run": "data-1", "new_users": 2, "new_items": 3, "new_interactions": 12, "known_items_unseen": 0,
    }  # fmt: skip
    summary = Summary.read(after.parent)
    assert summary is not None and summary.facts["against"] == known


def test_known_users_and_items_that_are_gone_keep_their_ids(tmp_path: Path, sets: Any) -> None:
    finished(tmp_path, "data-1", "data.path=" + written(tmp_path / "a.csv", OLD))
    left = [event for event in OLD + NEW if event[0] != 10 and event[1] != 7]
    for split in ("leave-one-out", "temporal", "users"):
        more = [(user, item, 50 * user + item) for user in range(40, 60) for item in (5, 6, 8, 100)]
        path = written(tmp_path / "b.csv", left + more)
        after = finished(tmp_path, f"data-{split}", "data.path=" + path, "data.known=data-1", f"data.split={split}")
        assert column(after / ITEMS.file, "raw")[:4] == ["5", "7", "9", "50"]
        assert column(after / USERS.file, "raw")[:3] == ["10", "20", "30"]
        assert 0 not in Sequences.load(after / SEQUENCES.file).users and 0 not in Rows.load(after / TEST.file).users


def test_another_set_is_refused_and_one_that_has_lost_most_items_is_warned_of(tmp_path: Path, sets: Any) -> None:
    finished(tmp_path, "data-1", "data.path=" + written(tmp_path / "a.csv", OLD))
    with pytest.raises(DataError, match="none of the 4 items of data-1 occurs"):
        other = written(tmp_path / "b.csv", [(u, i + 1000, t) for u, i, t in OLD])
        finished(tmp_path, "data-2", "data.path=" + other, "data.known=data-1")
    few = [(user, item, item) for user in range(5) for item in (5, 61, 62, 63)]
    after = finished(tmp_path, "data-3", "data.path=" + written(tmp_path / "c.csv", few), "data.known=data-1")
    events = (after.parent / "events.jsonl").read_text()
    assert "3 of 4 items of data-1 have no training event here" in events


EVENT = st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 99))


@given(st.lists(EVENT, min_size=4), st.lists(EVENT))
def test_any_growth_keeps_every_id(old: list[tuple[int, int, int]], new: list[tuple[int, int, int]]) -> None:
    raw = pa.array([str(item) for _, item, _ in old + new]).unique()
    present = np.ones(len(raw), dtype=bool)
    known = pa.array([str(item) for _, item, _ in old]).unique()
    first = np.asarray([raw.to_pylist().index(one) for one in known.to_pylist()], dtype=np.int64)
    numbered, positions = ids.assign(raw, present, first)
    order = [raw[int(position)].as_py() for position in positions]
    assert order[: len(known)] == known.to_pylist()
    assert order[len(known) :] == sorted(order[len(known) :], key=int) and sorted(order) == sorted(raw.to_pylist())
    assert sorted(numbered.tolist()) == list(range(1, len(raw) + 1))


def test_without_a_former_run_nothing_changes(sets: Any, tmp_path: Path) -> None:
    written(tmp_path / "x.csv", OLD)
    settings = sets.settings("table")
    whole = sets.read("table")
    known = Known("data-1", pa.array(["5", "7", "9", "50"]), pa.array(["10", "20", "30"]), len(OLD))
    one, other = prepare(settings, whole), prepare(settings, whole, known=known)
    assert one.items.equals(other.items) and np.array_equal(
        histories(one.trained).items, histories(other.trained).items
    )
    assert "known" not in one.profile and other.profile["known"]["new_interactions"] == 0
