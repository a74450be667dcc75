"""Stretches of shared events as arrays and files, against slow loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import stretches
from engine.data.sequences import Rows, Sequences
from engine.data.stretches import counts, histories, write_histories, write_rows

# Per user: how many events, and which positions are targets.
drawn = st.lists(
    st.integers(1, 9).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))), max_size=9
)


def rows_of(users: list[tuple[int, set[int]]]) -> Rows:
    offsets = np.cumsum([0, *(size for size, _ in users)])
    rows = [(int(offsets[user]), target, user) for user, (_, targets) in enumerate(users) for target in sorted(targets)]
    start, position, user = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    return Rows(np.arange(100, 100 + int(offsets[-1]), dtype=np.int32), start, start + position, user)


@given(drawn, st.integers(1, 20))
def test_files_hold_the_same_rows_and_no_event_behind_the_last_target(
    tmp_path_factory: pytest.TempPathFactory, users: list[tuple[int, set[int]]], size: int
) -> None:
    rows, folder = rows_of(users), tmp_path_factory.mktemp("rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "BLOCK", size)
        write_rows(folder / "rows", rows)
        write_histories(folder / "histories", rows)
        whole = histories(rows)
    back, own = Rows.load(folder / "rows"), Sequences.load(folder / "histories")
    each = [rows.items[a : b + 1].tolist() for a, b in zip(rows.start, rows.stop, strict=True)]
    assert [back.items[a : b + 1].tolist() for a, b in zip(back.start, back.stop, strict=True)] == each
    assert back.users.tolist() == rows.users.tolist()
    kept = [rows.items[rows.start[rows.users == user][0] :][: max(t) + 1] for user, (_, t) in enumerate(users) if t]
    assert back.items.tolist() == (np.concatenate(kept).tolist() if kept else [])
    for found in (whole, own):
        assert found.items.tolist() == [item for one in each for item in one[:-1]]
        assert np.diff(found.offsets).tolist() == [len(one) - 1 for one in each]
        assert found.users.tolist() == rows.users.tolist() and found.items.dtype == np.int32
    assert np.array_equal(counts(rows, 300), np.bincount(whole.items, minlength=300))
