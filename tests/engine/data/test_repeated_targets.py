"""Repeated targets are those of a slow loop, and one rule says whether seen items are hidden."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings.evaluate import SEEN
from engine.data.repeated_targets import PROFILED, hides_seen, repeated, validation_share
from engine.data.sequences import Rows


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40), st.data())
def test_a_target_is_repeated_where_its_own_history_holds_it(items: list[int], data: st.DataObject) -> None:
    stop = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=8))
    start = [data.draw(st.integers(0, end)) for end in stop]  # rows share stretches and begin anywhere
    rows = Rows(np.array(items, dtype=np.int32), *(np.array(part, dtype=np.int64) for part in (start, stop, stop)))
    assert repeated(rows).tolist() == [items[b] in items[a:b] for a, b in zip(start, stop, strict=True)]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.0101, 1.0])
def test_auto_hides_up_to_one_per_cent_and_words_are_obeyed(share: float) -> None:
    assert [hides_seen(word, share) for word in SEEN] == [share <= 0.01, True, False]


def test_an_older_profile_leaves_the_share_to_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "validation.safetensors"
    rows = Rows(np.array([1, 2, 1, 3, 4], dtype=np.int32), np.array([0, 3]), np.array([2, 4]), np.array([0, 1]))
    rows.save(path)
    assert validation_share({}, path) == 0.5
    assert validation_share({PROFILED: {"validation": 3}, "rows": {"validation": 12}}, tmp_path / "none") == 0.25
    assert validation_share({PROFILED: {"validation": 0}, "rows": {"validation": 0}}, tmp_path / "none") == 0.0


def test_the_data_stage_counts_both_splits(sets: Any) -> None:
    users = [[1, 2, 1, 3], [2, 3, 4, 2], [1, 2, 2, 2], [5, 6, 7]]  # validation, then test, are the last two events
    sets.write("a.txt", "".join(f"{user} {item}\n" for user, items in enumerate(users) for item in items))
    profile = sets.prepare("pairs", file="a.txt").profile
    assert profile[PROFILED] == {"validation": 2, "test": 2}
