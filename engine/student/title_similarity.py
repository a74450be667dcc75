"""How alike the titles of two items are: the cosine of their weighted character trigrams, for the nearest items; and
vectors of a few numbers for the titles, by their principal axes.

Letters: n items, D documents, T terms. Row 0 is the padding's and stays empty.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from engine.metrics.ranking import blocks

NEAREST = 100  # items that an item is similar to, at most
FREQUENT = 500  # titles; a trigram of more titles takes most of the time and tells least: it is left out

AXES = 256  # of the vectors of titles, at most
ROUNDS, MORE = 4, 16  # of the randomised subspace iteration, and axes that it carries beside those that are kept

_WORD = re.compile(r"\w+")


def similarities(titles: Sequence[str]) -> sparse.csr_array:  # [n + 1, n + 1]
    """Row i: the items whose titles are most like item i's, by the cosine, scaled to add up to 1.

    ``titles`` [n + 1], of every item id; an item without one is '' and is similar to none.
    """
    vectors = title_vectors(titles)
    known = np.bincount(vectors.indices, minlength=vectors.shape[1])
    kept = vectors[:, np.flatnonzero((known > 1) & (known <= FREQUENT))]
    across = kept.T.tocsr()
    rows, columns, values = [], [], []
    for block in blocks(len(titles), len(titles), "cpu"):
        cosines = torch.from_numpy((kept[block] @ across).toarray())
        own = torch.arange(len(cosines))
        cosines[own, own + block.start] = 0  # an item is not its own neighbour
        best, index = cosines.topk(min(NEAREST, len(titles) - 1))
        alike = best > 0
        rows.append(alike.nonzero()[:, 0].numpy() + block.start)
        columns.append(index[alike].numpy())
        values.append(best[alike].numpy())
    found = _matrix(np.concatenate(values), np.concatenate(rows), np.concatenate(columns), (len(titles), len(titles)))
    return divided(found, found.sum(axis=1))


def title_vectors(titles: Sequence[str]) -> sparse.csr_array:  # [n + 1, T]
    """Vectors of length 1 of tf-idf weights: (1 + ln count) (1 + ln(titles / titles that have the trigram)).

    Trigrams are those of " word " in small letters, of every word of the title.
    """
    in_titles, words = _counted(_WORD.findall(title.lower()) for title in titles)
    in_words, _ = _counted(_trigrams(word) for word in words)
    counts = (in_titles @ in_words).tocsr()
    known = np.bincount(counts.indices, minlength=counts.shape[1])
    titled = int((np.diff(counts.indptr) > 0).sum())
    counts.data = (1 + np.log(counts.data)) * (1 + np.log(titled / known[counts.indices]))
    return divided(counts, np.sqrt(counts.multiply(counts).sum(axis=1)))


def title_axes(titles: Sequence[str]) -> torch.Tensor:  # -> [n + 1, AXES] float32
    """Vectors of titles by latent semantic analysis: tf-idf X ~ U S V', and U sqrt(S) of the largest singular values.

    The square root leaves later axes more of their weight. Randomised subspace iteration (Halko et al. 2011) from a
    fixed draw. Fewer axes where there are fewer titles or trigrams; a title without words is 0.
    """
    matrix = title_vectors(titles).astype(np.float64)
    carried = min(AXES + MORE, *matrix.shape)
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], carried))
    for _ in range(ROUNDS):
        basis = np.linalg.qr(matrix.T @ np.linalg.qr(matrix @ basis)[0])[0]
    left, values, _ = np.linalg.svd(matrix @ basis, full_matrices=False)
    left[np.diff(matrix.indptr) == 0] = 0
    return torch.from_numpy((left * np.sqrt(values))[:, :AXES].astype(np.float32))


def divided(matrix: sparse.csr_array, by: NDArray[np.float64]) -> sparse.csr_array:  # [D, T] -> [D, T]
    """Every row divided by its own number [D]; an empty row, whose number is 0, stays empty."""
    result: sparse.csr_array = sparse.diags_array(1 / np.where(by > 0, by, 1)).tocsr() @ matrix
    return result.astype(np.float32)


def _trigrams(word: str) -> list[str]:
    padded = f" {word} "
    return [padded[start : start + 3] for start in range(len(padded) - 2)]


def _counted(documents: Iterable[list[str]]) -> tuple[sparse.csr_array, list[str]]:
    """How often each document has each term [D, T], and the terms."""
    index: dict[str, int] = {}
    found, ends = list[int](), [0]
    for document in documents:
        found += [index.setdefault(term, len(index)) for term in document]
        ends.append(len(found))
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    return _matrix(np.ones(len(found)), rows, np.array(found, dtype=np.int64), (len(ends) - 1, len(index))), list(index)


def _matrix(
    values: NDArray[np.floating], rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    """A sparse matrix; values at the same row and column are added up."""
    return sparse.coo_array((values, (rows, columns)), shape=shape).tocsr()
