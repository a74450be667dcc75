from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engine.errors import RunError
from engine.recommend.histories import Histories
from engine.recommend.recommendations import best_items
from engine.shipping.vectors import UserVectors, item_vectors, write_npy, write_safetensors
from engine.student.model import SequenceModel, save_student
from tests.engine.shipping.conftest import ITEMS, student


def lists(some: Histories) -> list[list[int]]:
    return [some.items[start:stop].tolist() for start, stop in zip(some.offsets[:-1], some.offsets[1:], strict=True)]


@pytest.fixture(params=["sasrec", "gru4rec"])  # without and with a bias for each item
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SequenceModel, Path]:
    model = student(request.param)
    save_student(tmp_path / "model.safetensors", model)
    return model, tmp_path


def test_an_index_of_inner_products_finds_the_recommendations(
    exported: tuple[SequenceModel, Path], some: Histories
) -> None:
    faiss = pytest.importorskip("faiss", reason="not installed: pip install 'recdistill[index]'")
    model, folder = exported
    write_npy(folder, model)
    vectors, ids = np.load(folder / "item_vectors.npy"), np.load(folder / "item_ids.npy")
    index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(vectors, ids)
    scores, items = index.search(UserVectors(folder)(lists(some)), 5)
    for own, numbers, expected in zip(items, scores, best_items(model, some, 5, hide_seen=False), strict=True):
        if numbers[0] != numbers[-1]:  # an empty history and no bias: every item scores 0
            assert own.tolist() == [item for item, _ in expected]
        assert numbers.tolist() == pytest.approx([score for _, score in expected], abs=1e-4)


def test_the_product_of_the_written_vectors_is_the_score(exported: tuple[SequenceModel, Path], some: Histories) -> None:
    model, folder = exported
    (name,) = write_safetensors(folder, model)
    found = load_file(folder / name)
    assert found["ids"].tolist() == list(range(1, ITEMS + 1))
    scores = UserVectors(folder)(lists(some)) @ found["vectors"].T
    for row, expected in enumerate(best_items(model, some, ITEMS, hide_seen=False)):
        for item, score in expected:
            assert scores[row, item - 1] == pytest.approx(score, abs=1e-5)


def test_both_formats_hold_the_same_vectors(tmp_path: Path) -> None:
    model = student("sasrec")
    write_npy(tmp_path, model)
    (name,) = write_safetensors(tmp_path, model)
    assert np.array_equal(np.load(tmp_path / "item_vectors.npy"), load_file(tmp_path / name)["vectors"])
    assert np.array_equal(item_vectors(model)[1], model.item_table()[0].detach().numpy()[1:])


def test_unknown_items_and_missing_models_are_errors(exported: tuple[SequenceModel, Path], tmp_path: Path) -> None:
    vectors = UserVectors(exported[1])
    for wrong in ([0], [ITEMS + 1]):
        with pytest.raises(ValueError, match="item ids are 1 to 40"):
            vectors([wrong])
    assert torch.equal(torch.from_numpy(vectors([[1, 2]])), torch.from_numpy(vectors([[1, 2]])))
    with pytest.raises(RunError, match="not a whole student model"):
        UserVectors(tmp_path / "elsewhere")
