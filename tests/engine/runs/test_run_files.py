from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.runs.run_files import RunFiles
from engine.stages import ADAPTER, ITEMS, ORACLE, PROFILE, SEQUENCES, STUDENT_MODEL, TEST


def test_a_stage_opens_what_it_declared_and_what_is_there(folder: Path) -> None:
    run = RunFiles(folder)
    assert run.input(PROFILE).read_text() == "{}"
    assert run.has(PROFILE)
    assert not run.has(SEQUENCES)


def test_a_missing_input_names_its_maker(folder: Path) -> None:
    with pytest.raises(
        RunError, match=r"student needs sequences\.safetensors \(.*\), which is not there\n.*engine run data"
    ):
        RunFiles(folder).input(SEQUENCES)


@pytest.mark.parametrize("artifact", [TEST, ITEMS, ADAPTER, STUDENT_MODEL])
def test_only_declared_inputs_can_be_opened_or_even_asked_for(folder: Path, artifact: Any) -> None:
    with pytest.raises(RunError, match="not among its needs"):
        RunFiles(folder).input(artifact)
    with pytest.raises(RunError, match="not among its needs"):
        RunFiles(folder).has(artifact)


def test_an_input_that_was_not_planned_is_an_error(bench: Any) -> None:
    run = RunFiles(bench.create("evaluate", inputs={}))
    assert not run.has(ORACLE)
    with pytest.raises(RunError, match="evaluate was planned without student"):
        run.input(STUDENT_MODEL)


def test_an_output_appears_when_it_is_whole(folder: Path) -> None:
    run = RunFiles(folder)
    with run.output(STUDENT_MODEL) as path:
        path.write_bytes(b"weights")
        assert not (folder / "artifacts" / STUDENT_MODEL.file).exists()
    assert (folder / "artifacts" / STUDENT_MODEL.file).read_bytes() == b"weights"
    with pytest.raises(RunError, match="does not make"):
        run.output(ADAPTER)


def test_a_run_of_an_unknown_stage_is_an_error_that_lists_the_stages(bench: Any) -> None:
    with pytest.raises(RunError, match="no stage 'pretrain'\nStages are: data, student"):
        RunFiles(bench.create("pretrain"))
