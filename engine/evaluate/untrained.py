"""Models that need nothing but the data: what follows an item in training, and what its title is like.

A trained model has to rank above them. One fixed rule for every data set, chosen on validation rows of the demo, Amazon
Toys and MovieLens-100K. After item i, item j is expected with the probability

    P(j | i) = (C_ij + m q_ij) / (C_i + m),   C_i = sum_j C_ij,   m = PRIOR for each prior

where C_ij adds 1 / gap for every time that j came ``gap`` events after i in a training sequence (gap <= GAP, j != i)
and q is the back-off of an item with few events: popularity, and of transitions+titles with the same weight the titles
most like item i's. The score of a row is the sum of P over the last LAST items of its history, the k-th last with the
weight 1 / k.
Letters: R rows, B rows of a block, n items, E events.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from engine.data import catalogue, ids
from engine.data.sequences import Rows, Sequences
from engine.data.titles import shown
from engine.evaluate.title_similarity import divided, similarities
from engine.stages import TITLES, TRANSITIONS

GAP = 10  # events between two items of a transition, at most
LAST = 10  # items of a history that are looked at
PRIOR = 30  # transitions that the back-off weighs as much as

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NextItem:
    """Weights of the next item after each item."""

    after: sparse.csr_array  # [n + 1, n + 1]
    back_off: Floats  # [n + 1] the weight of popularity after each item
    popularity: Floats  # [n + 1] share of the training events

    def scorer(self, rows: Rows, device: str) -> Callable[[slice], Tensor]:
        """Scores [B, n + 1] of a block of rows."""
        histories = last_items(rows, len(self.popularity))
        weights = (histories @ self.back_off).astype(np.float32)  # half the time of float64
        popularity = self.popularity.astype(np.float32)

        def score(block: slice) -> Tensor:
            found = (histories[block] @ self.after).toarray()
            found += weights[block, None] * popularity
            found[:, ids.PADDING] = -np.inf
            return torch.from_numpy(found).to(device)

        return score


class Untrained:
    """The models of one data set; what two of them need is computed once."""

    def __init__(self, sequences: Sequences, titles: list[str]) -> None:
        """``titles`` [n + 1], '' for an item without one."""
        self._sequences, self._titles = sequences, titles

    @classmethod
    def load(cls, sequences: Path, items: Path) -> "Untrained":
        return cls(Sequences.load(sequences), real_titles(items))

    @property
    def titled(self) -> bool:
        """Whether any item has a title."""
        return any(self._titles)

    def model(self, name: str) -> NextItem:
        """The model of this name; ``titles`` looks at similar titles and nothing else."""
        if name == TITLES:
            return NextItem(self._similar, np.zeros(len(self._titles)), self._popularity)
        if name == TRANSITIONS:
            total = self._counts.sum(axis=1) + PRIOR
            return NextItem(divided(self._counts, total), PRIOR / total, self._popularity)
        total = self._counts.sum(axis=1) + 2 * PRIOR
        alike = self._similar.sum(axis=1)  # 1, or 0 of an item without a similar title: popularity has its share too
        weights = divided(self._counts + PRIOR * self._similar, total)
        return NextItem(weights, PRIOR * (2 - alike) / total, self._popularity)

    @cached_property
    def _counts(self) -> sparse.csr_array:
        return transitions(self._sequences, len(self._titles))

    @cached_property
    def _similar(self) -> sparse.csr_array:
        return similarities(self._titles)

    @cached_property
    def _popularity(self) -> Floats:
        counts = self._sequences.counts(len(self._titles)).astype(np.float64)
        shares: Floats = counts / max(1.0, counts.sum())
        return shares


def transitions(sequences: Sequences, rows: int) -> sparse.csr_array:  # -> [rows, rows]
    """C_ij: the sum of 1 / gap over every j that came ``gap`` events after i in the same sequence."""
    users = np.repeat(np.arange(len(sequences)), np.diff(sequences.offsets))
    found = sparse.csr_array((rows, rows), dtype=np.float32)
    for gap in range(1, GAP + 1):
        one, other = sequences.items[:-gap], sequences.items[gap:]
        both = (users[:-gap] == users[gap:]) & (one != other)
        values = np.full(int(both.sum()), 1 / gap, dtype=np.float32)
        found += sparse.coo_array((values, (one[both], other[both])), shape=(rows, rows)).tocsr()
    return found


def last_items(rows: Rows, columns: int) -> sparse.csr_array:  # -> [R, columns]
    """1 / k for the k-th last item of each history, added up where an item occurs again."""
    latest = rows.latest(LAST)[:, ::-1]  # [R, LAST] newest first
    row, k = np.nonzero(latest != ids.PADDING)
    values = (1 / (1 + k)).astype(np.float32)
    return sparse.coo_array((values, (row, latest[row, k])), shape=(len(rows), columns)).tocsr()


def real_titles(items: Path) -> list[str]:  # -> [n + 1]
    """Title of every item id; '' where an item is only called by its raw id."""
    raw = catalogue.column(items, "raw")
    titles = catalogue.column(items, "title")
    return ["", *("" if shown("", name) == title else title for name, title in zip(raw, titles, strict=True))]
