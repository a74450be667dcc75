"""Similarity of titles against sums over their trigrams in float64."""

import math
from collections import Counter

import numpy as np
import pytest

from engine.student import title_similarity
from engine.student.title_similarity import similarities, title_axes, title_vectors

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


def test_the_axes_of_titles_are_the_singular_vectors_with_the_root_of_their_values() -> None:
    found = title_axes(TITLES).double().numpy()
    left, values, _ = np.linalg.svd(title_vectors(TITLES).toarray().astype(np.float64), full_matrices=False)
    expected = (left * values) @ left.T  # whatever the axes' signs
    assert found @ found.T == pytest.approx(expected, abs=1e-5)
    assert not found[0].any() and not found[4].any() and found.shape == (len(TITLES), len(TITLES))


def test_of_more_titles_than_axes_the_largest_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    titles = [""] + [" ".join(draw.choice(["ab", "cde", "fg", "hij", "kl", "mn"], 3)) + f" {i}" for i in range(120)]
    monkeypatch.setattr(title_similarity, "AXES", 20)
    found = title_axes(titles).double().numpy()
    values = np.linalg.svd(title_vectors(titles).toarray().astype(np.float64), compute_uv=False)[:20]
    kept = np.square(found).sum(axis=0)  # a column is a unit vector times the root of its singular value
    assert found.shape == (121, 20)
    assert kept[:4] == pytest.approx(values[:4], rel=1e-3) and kept == pytest.approx(values, rel=0.05)
    assert found.T @ found == pytest.approx(np.diag(kept), abs=1e-4)
    assert np.array_equal(title_axes(titles).numpy(), found.astype(np.float32))
