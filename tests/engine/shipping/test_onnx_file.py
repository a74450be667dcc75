from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.recommend.histories import Histories
from engine.shipping import agreement, onnx_file
from engine.shipping.ranking_graph import RankingGraph
from engine.stages import DISTILLED_MODEL
from engine.student.model import SequenceModel, load_student
from tests.engine.shipping.conftest import Exported, student
from tests.fixtures.extras import need_onnx


def ranks(file: Path, model: SequenceModel, some: Histories) -> None:
    """A file ranks histories of any number and length as the model does."""
    answer = onnx_file.read(file)
    found = agreement.compare(answer, model, some, True)
    assert found.close, found
    assert found.scores < 1e-5
    for shape in ((1, 1), (2, 30), (9, 3)):
        items, scores, users = answer(np.ones(shape, dtype=np.int64))
        assert items.shape == scores.shape == (shape[0], 5) and len(users) == shape[0]
        assert 1 not in items


def test_the_file_of_a_run_ranks_histories_of_any_number_and_length(
    seven_stages: Path, exported: Exported, some: Histories
) -> None:
    model = load_student(seven_stages / "distill" / "artifacts" / DISTILLED_MODEL.file)
    ranks(exported.folder / "DIR" / "model.onnx", model, some)


@pytest.mark.parametrize(
    "kind",
    ["gru4rec", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("sasrec", "sasrec-reference", "caser"))],
)
def test_the_file_of_any_network_does(some: Histories, tmp_path: Path, kind: str) -> None:
    need_onnx()
    model = student(kind)
    onnx_file.write(tmp_path / "model.onnx", RankingGraph(model, 5, True))
    ranks(tmp_path / "model.onnx", model, some)


def test_what_is_not_installed_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "PACKAGES", ("onnx_that_nobody_has",))
    with pytest.raises(UserError, match="needs onnx_that_nobody_has") as caught:
        onnx_file.write(tmp_path / "model.onnx", RankingGraph(student("sasrec"), 5, True))
    assert caught.value.remedy == "pip install 'recdistill[onnx]'"
