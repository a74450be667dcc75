"""The files of a model that a person names, and what is said of names without one."""

import sys
import zipfile
from pathlib import Path

import pytest

from engine.backbone.model_files import of_language_model, of_sentence_encoder
from engine.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names of every kind, some of files that are no part of a model."""
    made = tmp_path / "model"
    (made / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.model", "README.md", "1_Pooling/config.json"):
        (made / name).write_text(name)
    return made


def test_the_files_of_a_folder_are_those_that_reading_it_may_open(folder: Path) -> None:
    found = [str(path.relative_to(folder)) for path in of_language_model(folder)]
    assert found == ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.model"]
    assert of_sentence_encoder(str(folder)) == of_language_model(folder)


def test_weights_in_the_old_format_count_too(folder: Path) -> None:
    (folder / "pytorch_model.bin").touch()
    assert folder / "pytorch_model.bin" in of_language_model(folder)


def test_a_gguf_file_is_its_own_only_file(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF and more")
    assert of_language_model(tmp_path / "a.gguf") == [tmp_path / "a.gguf"]


@pytest.mark.parametrize(
    ("name", "cause", "remedy"),
    [
        ("none", "there is no such file or folder", "backbone=path"),
        ("empty", "this folder holds no language model: it has no config.json", "backbone=scratch"),
        ("single", "this folder holds no language model: it has no config.json", "a.gguf"),
        ("text", "this is no GGUF file", "ends in .gguf"),
    ],
)
def test_a_name_without_a_language_model_is_one_message(tmp_path: Path, name: str, cause: str, remedy: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError) as error:
        of_language_model(tmp_path / name)
    assert (error.value.cause, error.value.location) == (cause, str(tmp_path / name))
    assert remedy in error.value.remedy


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("none", "there is no such folder"),
        ("empty", "this folder holds no sentence encoder: it has no config.json"),
        ("text", "this is a file, not the folder of a sentence encoder"),
    ],
)
def test_a_path_without_a_sentence_encoder_is_not_looked_for_on_the_hub(tmp_path: Path, name: str, cause: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError) as error:
        of_sentence_encoder(str(tmp_path / name))
    assert (error.value.cause, error.value.location) == (cause, str(tmp_path / name))
    assert "backbone.text_model is a folder" in error.value.remedy


@pytest.mark.parametrize("name", ["./none", "../none", "~/no such folder", "models/of/mine"])
def test_a_name_that_the_hub_cannot_have_is_a_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no such folder"):
        of_sentence_encoder(name)


@pytest.mark.parametrize("name", ["owner/name", "name"])
def test_an_encoder_of_the_hub_has_no_files_here(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert of_sentence_encoder(name) == []


def test_the_file_of_a_package_is_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "held_encoder"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"held_encoder holds no sentence encoder \(model.zip\)"):
        of_sentence_encoder("package:held_encoder")
    zipfile.ZipFile(package / "model.zip", "w").close()
    assert of_sentence_encoder("package:held_encoder") == [package / "model.zip"]
    sys.modules.pop("held_encoder", None)
