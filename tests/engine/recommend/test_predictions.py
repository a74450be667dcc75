from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import RunError
from engine.knowledge.grounding import scores
from engine.recommend.lineage import lineage
from engine.recommend.predictions import Answered, grounded
from engine.stages import TEACHER_HELD_OUT


def test_answers_to_other_rows_than_there_are_are_refused(seven_stages: Path) -> None:
    runs = lineage(seven_stages / "evaluate")
    with pytest.raises(RunError, match="60 test rows, but there are 61") as error:
        Answered(runs, "test", 61)
    assert "engine run knowledge" in error.value.remedy


def test_a_damaged_file_says_how_to_make_it_again(seven_stages: Path, tmp_path: Path) -> None:
    runs = lineage(seven_stages / "evaluate") | {"knowledge": tmp_path}
    (tmp_path / "artifacts").mkdir()
    for file in (TEACHER_HELD_OUT.file, "gate_weights.safetensors"):
        (tmp_path / "artifacts" / file).write_bytes(b"no tensor")
    with pytest.raises(RunError, match="cannot be read"):
        Answered(runs, "test", 60)


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_one_answer_is_grounded_as_the_stage_grounds_them(gamma: float) -> None:
    draw = np.random.default_rng(0)
    answers, items = draw.normal(size=(3, 5)).astype(np.float32), draw.normal(size=(9, 5)).astype(np.float32)
    answers[2], popularity = 0, np.asarray([0, 30, 4, 5, 9, 9, 12, 7, 4], dtype=np.float32)
    expected = scores(*(torch.from_numpy(part) for part in (answers, items, popularity)), gamma)
    for row in range(3):
        found = torch.from_numpy(grounded(answers[row], items, popularity, gamma))
        torch.testing.assert_close(found[1:], expected[row, 1:], rtol=1e-4, atol=1e-5)
