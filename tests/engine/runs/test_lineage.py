import shutil
from pathlib import Path

from engine.runs.lineage import folders, lineage
from engine.runs.schema import RunInfo

INPUTS = {
    "data-1": [],
    "student-1": ["data-1"],
    "student-2": ["data-1"],
    "knowledge-1": ["data-1", "student-1", "teacher-1"],
    "evaluate-1": ["data-1", "student-2", "knowledge-1"],
}


def test_everything_a_run_was_made_from_is_found_once_and_the_nearest_first() -> None:
    assert lineage("evaluate-1", INPUTS.get) == (
        ["evaluate-1", "data-1", "student-2", "knowledge-1", "student-1"],
        ["teacher-1"],
    )


def test_runs_that_name_each_other_end_the_walk() -> None:
    assert lineage("a", {"a": ["b"], "b": ["a"]}.get) == (["a", "b"], [])


def test_a_run_that_is_gone_is_told_once_however_many_were_made_from_it() -> None:
    known = {run: inputs for run, inputs in INPUTS.items() if run != "data-1"}
    found, gone = lineage("evaluate-1", known.get)
    assert "data-1" not in found and gone == ["data-1", "teacher-1"]


def test_the_folders_of_runs_that_are_gone_are_left_out(tmp_path: Path) -> None:
    for run, inputs in INPUTS.items():
        (tmp_path / run).mkdir()
        made_from = {maker.partition("-")[0]: maker for maker in inputs}
        RunInfo(run, run.partition("-")[0], "try", 1, run, made_from).write(tmp_path / run)
    shutil.rmtree(tmp_path / "student-1")
    names = [folder.name for folder in folders(tmp_path / "evaluate-1")]
    assert names == ["evaluate-1", "data-1", "student-2", "knowledge-1"]
