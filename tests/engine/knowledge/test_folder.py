"""The files of a folder, by name."""

from pathlib import Path

import pytest

from engine import config
from engine.cli import main
from engine.errors import DataError
from engine.experiments.plan import fingerprints, inputs_of
from engine.knowledge.folder import DISTANCES, RANKS, VECTORS, present
from engine.stages import STAGES


def folder(tmp_path: Path) -> Path:
    for name in (VECTORS, RANKS, DISTANCES):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_missing_file_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    (folder(tmp_path) / RANKS).unlink()
    with pytest.raises(DataError, match=r"(?s)no myrank_train.txt.*engine export"):
        present(str(tmp_path))


def test_imported_knowledge_needs_the_data_alone_and_its_content_decides_about_reuse(tmp_path: Path) -> None:
    def print_of(path: Path) -> str:
        settings = config.load([f"knowledge.files={path}"])
        stages = [STAGES[name] for name in ("data", "knowledge")]
        assert inputs_of(STAGES["knowledge"], settings) == ["data"]
        return fingerprints(stages, settings, tmp_path)["knowledge"]

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, elsewhere = print_of(folder(tmp_path / "a")), print_of(folder(tmp_path / "b"))
    (tmp_path / "b" / RANKS).write_text("other")
    assert first == elsewhere != print_of(tmp_path / "b")


def test_a_teacher_that_is_not_there_cannot_be_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["evaluate.models=[student,teacher]", f"knowledge.files={folder(tmp_path)}"]
    assert main(["run", "--plan", *overrides, "--runs", str(tmp_path)]) == 2
    assert "Leave teacher out" in capsys.readouterr().err
