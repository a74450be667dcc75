import shutil
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.recommend.lineage import lineage, made
from engine.runs.schema import RunInfo
from engine.stages import ADAPTER, STUDENT_MODEL


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An evaluation of one student, whose knowledge came from another one's teacher."""
    for name, stage, inputs in (
        ("data-1", "data", {}),
        ("student-1", "student", {"data": "data-1"}),
        ("student-2", "student", {"data": "data-1"}),
        ("teacher-1", "teacher", {"data": "data-1", "student": "student-1"}),
        ("knowledge-1", "knowledge", {"data": "data-1", "student": "student-1", "teacher": "teacher-1"}),
        ("evaluate-1", "evaluate", {"data": "data-1", "student": "student-2", "knowledge": "knowledge-1"}),
    ):
        (tmp_path / name).mkdir()
        RunInfo(name, stage, "try", 1, name, inputs).write(tmp_path / name)
    return tmp_path


def test_the_nearest_run_of_each_stage_counts(root: Path) -> None:
    found = {stage: folder.name for stage, folder in lineage(root / "evaluate-1").items()}
    assert found["student"] == "student-2"
    assert (found["teacher"], found["data"]) == ("teacher-1", "data-1")
    assert lineage(root / "teacher-1")["student"].name == "student-1"


def test_a_run_that_is_gone_is_left_out(root: Path) -> None:
    shutil.rmtree(root / "teacher-1")
    assert "teacher" not in lineage(root / "evaluate-1")


def test_a_run_without_models_says_which_runs_have_one(root: Path) -> None:
    with pytest.raises(RunError, match="a data run has no recommender") as error:
        lineage(root / "data-1")
    assert "student" in error.value.remedy


def test_what_is_not_there_says_how_to_make_it(root: Path) -> None:
    with pytest.raises(RunError) as error:
        made(lineage(root / "evaluate-1"), STUDENT_MODEL)
    assert "engine run student" in error.value.remedy
    with pytest.raises(RunError) as error:
        made(lineage(root / "student-1"), ADAPTER)
    assert "engine run teacher" in error.value.remedy
