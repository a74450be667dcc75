"""Stretches of token ids, tokenised once, and rows put together from them by copying. No tensor, no tokenizer.

Letters: P pieces, B rows, M pieces of a row, N tokens of all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Copied:
    """Tokens of all rows, one after the other."""

    tokens: Ints  # [N]
    row: Ints  # [N] row of each token
    column: Ints  # [N] column of each token in its row
    length: Ints  # [B] tokens of each row

    def padded(self, padding: int) -> Ints:  # [B, T]
        """The rows side by side, filled up on the right."""
        table = np.full((len(self.length), int(self.length.max(initial=0))), padding)
        table[self.row, self.column] = self.tokens
        return table


class Pieces:
    """P stretches of token ids."""

    def __init__(self, pieces: Sequence[Sequence[int]]) -> None:
        self.length = np.asarray([len(piece) for piece in pieces], dtype=np.int64)  # [P]
        self._start = np.cumsum(self.length) - self.length
        self._tokens = np.asarray([token for piece in pieces for token in piece], dtype=np.int64)

    def rows(self, parts: Ints) -> Copied:  # [B, M] piece numbers
        """Each row's pieces joined, without a loop over rows, pieces or tokens."""
        lengths = self.length[parts]
        flat = lengths.reshape(-1)
        ends = np.cumsum(flat)
        source = np.repeat(self._start[parts].reshape(-1) - (ends - flat), flat) + np.arange(int(flat.sum()))
        length = lengths.sum(axis=1)
        row = np.repeat(np.arange(len(parts)), length)
        column = np.arange(len(source)) - (np.cumsum(length) - length)[row]
        return Copied(self._tokens[source], row, column, length)
