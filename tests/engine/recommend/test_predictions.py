from pathlib import Path

import numpy as np
import pytest

from engine.data.sequences import Rows
from engine.errors import RunError
from engine.recommend.lineage import lineage
from engine.recommend.predictions import StoredAnswers
from engine.stages import TEACHER_HELD_OUT


def rows(count: int) -> Rows:
    """So many rows with the same short history."""
    start = np.zeros(count, dtype=np.int64)
    return Rows(np.array([1, 2, 3], dtype=np.int32), start, start + 2, np.arange(count))


def test_answers_to_other_rows_than_there_are_are_refused(seven_stages: Path) -> None:
    runs = lineage(seven_stages / "evaluate")
    with pytest.raises(RunError, match="60 test rows, but there are 61") as error:
        StoredAnswers(runs, "test", rows(61))
    assert "engine run knowledge" in error.value.remedy


def test_a_damaged_file_says_how_to_make_it_again(seven_stages: Path, tmp_path: Path) -> None:
    runs = lineage(seven_stages / "evaluate") | {"knowledge": tmp_path}
    (tmp_path / "artifacts").mkdir()
    for file in (TEACHER_HELD_OUT.file, "gate_weights.safetensors"):
        (tmp_path / "artifacts" / file).write_bytes(b"no tensor")
    with pytest.raises(RunError, match="cannot be read"):
        StoredAnswers(runs, "test", rows(60))
