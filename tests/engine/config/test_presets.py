"""Experiments of a person's own: saved, chosen, changed, checked."""

import json
from pathlib import Path

import pytest

from engine import config
from engine.cli import main
from engine.config import presets
from engine.errors import ConfigError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "recdistill" / "experiments"


def test_what_was_saved_is_chosen_by_its_name() -> None:
    words = ["experiment=demo", "student=gru4rec", "student.dropout=0.35", "data.name=a # b = c"]
    config.save("wide", words)
    assert config.load(["experiment=wide"]) == config.load(words)
    assert config.resolve(["experiment=wide"]).choices["student"] == "gru4rec"


def test_what_is_typed_beside_it_wins() -> None:
    config.save("wide", ["student.dropout=0.35", "seed=4"])
    loaded = config.load(["student.dropout=0.1", "experiment=wide"])
    assert (loaded.student.dropout, loaded.seed) == (0.1, 4)


def test_one_that_is_made_from_another_stands_alone(own_folder: Path) -> None:
    config.save("wide", ["seed=4"])
    config.save("wider", ["experiment=wide", "student.dropout=0.35"])
    (own_folder / "wide.txt").unlink()
    assert config.load(["experiment=wider"]).seed == 4


def test_the_experiment_of_a_run_bears_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.save("wide", ["experiment=demo", "seed=4"])
    assert config.resolve(["experiment=wide"]).label == "wide"


def test_only_sound_settings_are_saved(own_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean student\.dropout"):
        config.save("wide", ["student.dropot=0.1"])
    assert not own_folder.exists()


@pytest.mark.parametrize("name", ["demo", "", "Wide", "../x", ".hidden", "a b", "x" * 61])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        config.save(name, ["seed=4"])


def test_a_line_break_cannot_be_saved() -> None:
    with pytest.raises(ConfigError, match="line break"):
        config.save("wide", ["data.name=a\nseed=9"])


def test_a_file_that_was_edited_by_hand_is_checked_like_typed_words(own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    (own_folder / "mine.txt").write_text("# mine\n\n  student.dropout=0.2  \n")
    assert config.load(["experiment=mine"]).student.dropout == 0.2
    (own_folder / "mine.txt").write_text("student.dropot=0.2\n")
    with pytest.raises(ConfigError, match=r"Did you mean student\.dropout"):
        config.load(["experiment=mine"])
    (own_folder / "mine.txt").write_text("experiment=mine\n")
    with pytest.raises(ConfigError, match="has no choice 'mine'"):
        config.load(["experiment=mine"])
    (own_folder / "mine.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="Mend or remove"):
        config.load(["experiment=mine"])


def test_a_misspelt_name_finds_the_saved_one() -> None:
    config.save("wide-student", ["seed=4"])
    with pytest.raises(ConfigError, match="Did you mean wide-student"):
        config.load(["experiment=wide-studnt"])


def test_the_command_saves_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "seed=4", "--save", "wide"]) == 0
    assert "experiment=wide" in capsys.readouterr().out
    assert main(["config", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["saved"] == ["wide"] and {"wide", "demo"} <= set(told["experiments"])
    assert main(["config", "seed=x", "--save", "other"]) == 2
    assert presets.names() == ["wide"]


def test_a_folder_that_cannot_be_written_is_explained(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_folder.parent.mkdir(parents=True)
    own_folder.write_text("in the way")
    assert main(["config", "seed=4", "--save", "wide"]) == 2
    assert str(own_folder) in capsys.readouterr().err
