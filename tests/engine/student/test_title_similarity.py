"""Similarity of titles against sums over their trigrams in float64."""

import math
from collections import Counter

import numpy as np
import pytest

from engine.student import title_similarity
from engine.student.title_similarity import similarities

TITLES = ["", "Red Car", "red cars", "BLUE car car", "", "boat", "Ärger, 赤い 車", "赤い car"]


def vector(title: str, known: Counter[str], titled: int) -> dict[str, float]:
    words = title_similarity._WORD.findall(title.lower())
    counts = Counter(f" {word} "[i : i + 3] for word in words for i in range(len(word)))
    weights = {t: (1 + math.log(c)) * (1 + math.log(titled / known[t])) for t, c in counts.items()}
    length = math.sqrt(sum(w * w for w in weights.values()))
    return {t: w / length for t, w in weights.items()}


def slowly(titles: list[str]) -> np.ndarray:
    sets = [
        {f" {w} "[i : i + 3] for w in title_similarity._WORD.findall(t.lower()) for i in range(len(w))} for t in titles
    ]
    known, titled = Counter(t for own in sets for t in own), sum(map(bool, sets))
    vectors = [vector(title, known, titled) for title in titles]
    size = len(titles)
    found = np.array(
        [
            [0.0 if i == j else sum(w * vectors[j].get(t, 0.0) for t, w in vectors[i].items()) for j in range(size)]
            for i in range(size)
        ]
    )
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)


def test_the_cosine_of_tf_idf_trigrams_adds_up_to_one_over_the_other_items() -> None:
    found = similarities(TITLES).toarray()
    np.testing.assert_allclose(found, slowly(TITLES), atol=1e-6)
    assert found[1, 2] > found[1, 3] > 0 and found[7, 6] > 0
    assert not found[0].any() and not found[4].any() and not found[:, 4].any()
    assert found[5].sum() == 0  # no other title shares a trigram with it


def test_only_the_nearest_items_are_kept_and_frequent_trigrams_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title_similarity, "NEAREST", 1)
    best = slowly(TITLES).argmax(axis=1)
    found = similarities(TITLES).toarray()
    assert [row.argmax() for row in found if row.any()] == [best[i] for i, row in enumerate(found) if row.any()]
    assert set(found[found > 0].tolist()) == {1.0}
    monkeypatch.setattr(title_similarity, "FREQUENT", 1)
    assert similarities(TITLES).nnz == 0
