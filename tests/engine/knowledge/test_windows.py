"""Training rows as windows of ten, and found again by their content."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.sequences import Sequences
from engine.knowledge import windows


def sequences(users: list[list[int]]) -> Sequences:
    flat = [item for user in users for item in user]
    offsets = np.cumsum([0, *map(len, users)])
    return Sequences(np.asarray(flat, dtype=np.int32), offsets.astype(np.int64), np.arange(len(users)))


def test_a_window_holds_the_ten_latest_items_and_no_other_users() -> None:
    data = sequences([[5, 6], list(range(1, 14))])
    rows = windows.predicted_events(data)
    assert rows.tolist() == [1, *range(3, 15)]
    found = windows.windows(data, rows)
    assert found[0].tolist() == [5] + [0] * 9 + [6]
    assert found[-1].tolist() == [*range(3, 13), 13]
    assert found[1].tolist() == [1] + [0] * 9 + [2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=14), min_size=1, max_size=4))
def test_every_row_finds_a_line_of_its_own_content(users: list[list[int]]) -> None:
    data = sequences(users)
    own = windows.windows(data, windows.predicted_events(data))
    line = windows.match_lines(own, own[::-1], Path("rows"))
    assert (line >= 0).all() and (own[::-1][line] == own).all()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    data = sequences([[1, 2, 3], list(range(1, 14))])
    own = windows.windows(data, windows.predicted_events(data))
    windows.write(tmp_path / "rows.csv", own, 13)
    assert (windows.read(tmp_path / "rows.csv", 13) == own).all()
