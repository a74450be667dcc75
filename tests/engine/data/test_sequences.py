"""The flat arrays survive their files."""

from pathlib import Path

import numpy as np

from engine.data.sequences import Rows, Sequences


def test_sequences_are_read_back_as_they_were_saved(tmp_path: Path) -> None:
    sequences = Sequences(np.array([3, 1, 2], dtype=np.int32), np.array([0, 1, 3]), np.array([4, 9]))
    sequences.save(tmp_path / "s.safetensors")
    back = Sequences.load(tmp_path / "s.safetensors")
    assert len(back) == 2
    for name in ("items", "offsets", "users"):
        one, two = getattr(sequences, name), getattr(back, name)
        assert one.dtype == two.dtype and np.array_equal(one, two)


def test_rows_are_read_back_and_know_their_targets(tmp_path: Path) -> None:
    rows = Rows(np.array([5, 6, 7, 8], dtype=np.int32), np.array([0, 0]), np.array([2, 3]), np.array([1, 1]))
    rows.save(tmp_path / "r.safetensors")
    back = Rows.load(tmp_path / "r.safetensors")
    assert len(back) == 2 and back.targets.tolist() == [7, 8]


def test_the_latest_items_of_a_history_end_before_its_target_and_are_padded_on_the_left() -> None:
    rows = Rows(np.array([5, 6, 7, 8], dtype=np.int32), np.array([0, 0, 3]), np.array([3, 1, 3]), np.array([1, 1, 2]))
    latest = rows.latest(2)
    assert latest.tolist() == [[6, 7], [0, 5], [0, 0]] and latest.dtype == np.int32
