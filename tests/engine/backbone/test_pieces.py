"""Rows put together by copying equal rows put together by joining lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.backbone.pieces import Pieces


@given(
    st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=6),
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), max_size=5),
)
def test_a_row_is_its_pieces_joined(pieces: list[list[int]], rows: list[list[int]]) -> None:
    parts = np.asarray(rows, dtype=np.int64).reshape(len(rows), 3) % len(pieces)
    copied = Pieces(pieces).rows(parts)
    table = copied.padded(-1)
    for row, chosen in enumerate(parts):
        expected = [token for piece in chosen for token in pieces[piece]]
        assert copied.tokens[copied.row == row].tolist() == expected
        assert copied.length[row] == len(expected)
        assert table[row].tolist() == expected + [-1] * (table.shape[1] - len(expected))
