"""Models that need nothing but the data: what follows an item in training, and what its title is like.

A trained model has to rank above them. One fixed rule for every data set, chosen on validation rows of the demo, Amazon
Toys and MovieLens-100K. After item i, item j is expected with the probability

    P(j | i) = (C_ij + m q_ij) / (C_i + m),   C_i = sum_j C_ij,   m = PRIOR for each prior

where C_ij adds 1 / gap for every time that j came ``gap`` events after i in a training sequence (gap <= GAP, j != i)
and q is the back-off of an item with few events: popularity, and of transitions+titles with the same weight the titles
most like item i's. The score of a row is the sum of P over the last LAST items of its history, the k-th last with the
weight 1 / k.

A training row is itself counted in C, where a held-out row is not: it is predicted as if the pairs of its own user were
not (popularity, which one user hardly moves, stays).
Letters: R rows, B rows of a block, n items, E events, U users of a block, K pairs of a user and an item of theirs.
"""

from collections.abc import Callable, Iterator
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
from engine.stages import TITLES, TRANSITIONS
from engine.student.title_similarity import divided, similarities

GAP = 10  # events between two items of a transition, at most
LAST = 10  # items of a history that are looked at
PRIOR = 30  # transitions that the back-off weighs as much as

FLOOR = 1e-3  # share of all items together in a probability, so that none rules an item out where it is mixed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RowScores = Callable[[slice], Tensor]  # a block of rows -> [B, n + 1]


@dataclass(frozen=True)
class NextItem:
    """Weights of the next item after each item: P = (counts + prior + back_off popularity) / total."""

    counts: sparse.csr_array  # [n + 1, n + 1] C; empty for a model of titles alone
    prior: sparse.csr_array  # [n + 1, n + 1] what similar titles weigh
    back_off: Floats  # [n + 1] what popularity weighs
    total: Floats  # [n + 1]
    popularity: Floats  # [n + 1] share of the training events

    @cached_property
    def weights(self) -> sparse.csr_array:  # [n + 1, n + 1]
        """Counts and prior, not divided by the total."""
        return (self.counts + self.prior).tocsr()

    @cached_property
    def after(self) -> sparse.csr_array:  # [n + 1, n + 1]
        """Share of the next item j after item i, popularity apart."""
        return divided(self.weights, self.total)

    def after_rows(self, rows: Rows, device: str) -> RowScores:
        """Scores of held-out rows [R]."""
        histories = last_items(rows, len(self.popularity))
        popular = (histories @ (self.back_off / self.total)).astype(np.float32)  # half the time of float64
        popularity = self.popularity.astype(np.float32)

        def score(block: slice) -> Tensor:
            return _finished((histories[block] @ self.after).toarray(), popular[block, None] * popularity, device)

        return score

    def after_events(self, sequences: Sequences, last: Ints, device: str) -> RowScores:
        """Scores of what follows the events ``last`` [R] of training sequences.

        Pairs of a row's own user are not counted, except after the last event of a sequence, whose next one is in none.
        """
        popularity = self.popularity.astype(np.float32)
        users = np.repeat(np.arange(len(sequences)), np.diff(sequences.offsets))
        back_off = self.back_off.astype(np.float32)
        inside = last + 1 < sequences.offsets[1:][users[last]]

        def score(block: slice) -> Tensor:
            events, own = stretches_of(sequences, np.unique(users[last[block]]))
            items, end = sequences.items[events], np.searchsorted(events, last[block])
            keys, key = np.unique(own * len(popularity) + items, return_inverse=True)
            pairs = _own_counts(items, own, key, (len(keys), len(popularity))) if self.counts.nnz else None
            counted = np.zeros(len(keys)) if pairs is None else pairs.sum(axis=1)
            row, k = np.nonzero((at := end[:, None] - np.arange(LAST)) >= np.searchsorted(own, own[end])[:, None])
            at = at[row, k]
            apart = inside[block][row]
            shares = (1 / (1 + k) / (self.total[items[at]] - apart * counted[key[at]])).astype(np.float32)
            histories = sparse.coo_array((shares, (row, items[at])), shape=(len(end), len(popularity))).tocsr()
            found = (histories @ self.weights).toarray()
            if pairs is not None:
                by_key = sparse.coo_array((shares * apart, (row, key[at])), shape=(len(end), len(keys))).tocsr()
                found = np.maximum(found - (by_key @ pairs).toarray(), 0)
            return _finished(found, (histories @ back_off)[:, None] * popularity, device)

        return score


def log_probabilities(scores: Tensor) -> Tensor:  # [B, n + 1] -> [B, n + 1]
    """Logarithms of the scores of ``NextItem``, whose sum over all items is FLOOR more; the padding minus infinity."""
    logs = (scores + FLOOR / (scores.shape[1] - 1)).log_()
    logs[:, ids.PADDING] = -torch.inf
    return logs


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
        ones, size = np.ones(len(self._titles)), len(self._titles)
        nothing = sparse.csr_array((size, size), dtype=np.float32)
        if name == TITLES:
            return NextItem(nothing, self._similar, 0 * ones, ones, self._popularity)
        counted = self._counts.sum(axis=1)
        if name == TRANSITIONS:
            return NextItem(self._counts, nothing, PRIOR * ones, counted + PRIOR, self._popularity)
        alike = self._similar.sum(axis=1)  # 1, or 0 of an item without a similar title: popularity has its share too
        back_off = PRIOR * (2 - alike)
        return NextItem(self._counts, PRIOR * self._similar, back_off, counted + 2 * PRIOR, self._popularity)

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
    for one, other, value in _pairs(sequences.items, users):
        values = np.full(len(one), value, dtype=np.float32)
        found += sparse.coo_array((values, (sequences.items[one], sequences.items[other])), shape=(rows, rows)).tocsr()
    return found


def stretches_of(sequences: Sequences, users: Ints) -> tuple[Ints, Ints]:  # [U] -> [E], [E]
    """The events of some users, in their order, and the index among ``users`` of each event's."""
    start = sequences.offsets[users]
    lengths = sequences.offsets[users + 1] - start
    first = lengths.cumsum() - lengths
    return np.arange(lengths.sum()) + np.repeat(start - first, lengths), np.repeat(np.arange(len(users)), lengths)


def _pairs(items: NDArray[np.int32], users: Ints) -> Iterator[tuple[Ints, Ints, float]]:  # [E], [E]
    """The events of every transition, and what it counts: one after the other ``gap`` events, for each gap."""
    for gap in range(1, GAP + 1):
        one = np.flatnonzero((users[:-gap] == users[gap:]) & (items[:-gap] != items[gap:]))
        yield one, one + gap, 1 / gap


def _own_counts(items: NDArray[np.int32], users: Ints, key: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """C of each user alone [K, n + 1]: row ``key`` [E] of an event is that of its user and item."""
    parts = list(_pairs(items, users))
    one, other = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    values = np.concatenate([np.full(len(part[0]), part[2], dtype=np.float32) for part in parts])
    return sparse.coo_array((values, (key[one], items[other])), shape=shape).tocsr()


def _finished(found: NDArray[np.float32], popular: NDArray[np.float32], device: str) -> Tensor:
    """Scores with popularity's part, the padding minus infinity."""
    found += popular
    found[:, ids.PADDING] = -np.inf
    return torch.from_numpy(found).to(device)


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
