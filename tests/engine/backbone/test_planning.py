"""What a plan says of a backbone before it is made."""

from pathlib import Path

import pytest

from engine import config
from engine.errors import UserError
from engine.experiments.plan import plan
from engine.jobs.store import Store

TEXT_CONTROL = ["experiment=[demo,text-vectors]"]
ENCODER = ["backbone=sentence-encoder", "backbone.text_model=DIR"]
UNUSED = "no stage here uses its language model (backbone.source=scratch): backbone=sentence-encoder makes"


def reason(target: str, overrides: list[str], folder: Path) -> str:
    """Why the plan for ``target`` runs the backbone."""
    steps = plan(target, config.load(overrides), Store(folder))
    return next(step.why for step in steps if step.stage.name == "backbone")


def test_a_language_model_that_is_made_for_nothing_is_named_with_what_makes_it_needless(tmp_path: Path) -> None:
    assert UNUSED in reason("distill", [*TEXT_CONTROL, "backbone.text_model=DIR"], tmp_path)


@pytest.mark.parametrize(
    ("target", "overrides"),
    [
        pytest.param("distill", TEXT_CONTROL, id="it reads the texts itself"),
        pytest.param("teacher", ["experiment=demo", "backbone.text_model=DIR"], id="a teacher uses it"),
        pytest.param("distill", [*TEXT_CONTROL, *ENCODER], id="there is none"),
        pytest.param("backbone", ["backbone.text_model=DIR"], id="it is what was asked for"),
    ],
)
def test_a_language_model_that_is_used_is_not_remarked_on(target: str, overrides: list[str], tmp_path: Path) -> None:
    assert reason(target, overrides, tmp_path) == "no backbone run yet"


def language_model(folder: Path, weights: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(weights)
    return folder


def fingerprint(overrides: list[str], root: Path) -> str:
    steps = plan("backbone", config.load(overrides), Store(root))
    return next(step.fingerprint for step in steps if step.stage.name == "backbone")


def test_other_weights_under_the_same_name_are_another_model(tmp_path: Path) -> None:
    folder = language_model(tmp_path / "model", "one")
    words = ["backbone=path", f"backbone.name={folder}"]
    before = fingerprint(words, tmp_path / "runs")
    assert fingerprint(words, tmp_path / "runs") == before
    (folder / "model.safetensors").write_text("two")
    assert fingerprint(words, tmp_path / "runs") != before


def test_other_weights_of_a_sentence_encoder_are_another_model(tmp_path: Path) -> None:
    folder = language_model(tmp_path / "encoder", "one")
    words = ["backbone=sentence-encoder", f"backbone.text_model={folder}"]
    before = fingerprint(words, tmp_path / "runs")
    (folder / "model.safetensors").write_text("two")
    assert fingerprint(words, tmp_path / "runs") != before


@pytest.mark.parametrize(("copy", "same"), [("true", True), ("false", False)])
def test_the_same_files_elsewhere_are_the_same_model_where_the_run_has_a_copy(
    tmp_path: Path, copy: str, same: bool
) -> None:
    folders = [language_model(tmp_path / name, "one") for name in ("here", "there")]
    first, second = (
        fingerprint(["backbone=path", f"backbone.name={folder}", f"backbone.copy={copy}"], tmp_path / "runs")
        for folder in folders
    )
    assert (first == second) is same


@pytest.mark.parametrize(
    ("overrides", "cause"),
    [
        (["backbone=path", "backbone.name=/none"], "there is no such file or folder"),
        (["backbone=gguf", "backbone.name=/none.gguf"], "there is no such file or folder"),
        (["backbone=gguf", "backbone.name=/tmp"], "this is a folder, not a GGUF file"),
        (["backbone=sentence-encoder", "backbone.text_model=/none"], "there is no such folder"),
        (["backbone=gguf"], "FILE.gguf: there is no such file or folder"),
        (["backbone=path"], "DIR: there is no such file or folder"),
        (["backbone=sentence-encoder"], "DIR: there is no such folder"),
    ],
)
def test_a_model_that_is_not_there_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=cause):
        plan("distill", config.load([*TEXT_CONTROL, *overrides]), Store(tmp_path))
