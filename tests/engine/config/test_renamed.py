"""Settings that were renamed: refused by their old name, read from old run folders."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from engine import config
from engine.cli import main
from engine.config.renamed import ADDED, FIRST_NAMES, RENAMED, original, translated
from engine.config.settings.tree import settings
from engine.errors import ConfigError
from engine.experiments.plan import fingerprints, pipeline

OLD, NEW = "teacher.rank.trusts", "teacher.rank.student_weights"


def test_every_new_name_is_a_setting_and_no_old_one_is() -> None:
    known = {item.key for item in settings(config.Config)}
    assert set(RENAMED.values()) <= known
    assert not RENAMED.keys() & known
    assert all(old.rpartition(".")[0] == new.rpartition(".")[0] for old, new in RENAMED.items())  # of one section


@pytest.mark.parametrize("command", ["run", "config", "sweep", "tune", "bench", "doctor"])
def test_an_old_name_on_the_command_line_is_answered_with_the_new_one(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "teacher", f"{OLD}=[0.5]", *([] if command == "config" else ["--runs", str(tmp_path)])]) == 2
    message = capsys.readouterr().err
    assert message.count("error:") == 1
    assert f"'{OLD}' is now called {NEW}" in message and f"Write {NEW}=[0.5]" in message


def test_an_old_name_in_a_saved_experiment_is_answered_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    saved = tmp_path / "recdistill" / "experiments" / "mine.txt"
    saved.parent.mkdir(parents=True)
    saved.write_text(f"{OLD}=[0.5]\n")
    assert main(["config", "experiment=mine"]) == 2
    assert f"now called {NEW}" in capsys.readouterr().err


def test_a_configuration_under_old_names_reads_as_one_under_new_names(tmp_path: Path) -> None:
    loaded = config.load([f"{NEW}=[0.25]", "teacher.rank.slot_dropout=0.7"])
    old = original(asdict(loaded), "")
    assert old["teacher"]["rank"]["trusts"] == [0.25] and "student_weights" not in old["teacher"]["rank"]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(old))
    assert config.read(path) == loaded


def test_a_setting_that_was_added_has_its_earlier_behaviour_in_an_old_configuration() -> None:
    known = {item.key for item in settings(config.Config)}
    assert ADDED.keys() <= known
    old = {"data": {"name": "x"}, "seed": 1}
    none = {name: None for model in ("student", "teacher", "distill") for name in (model, f"{model}_epochs")}
    search = {"search": none}  # a section that was added as a whole
    data = {"name": "x", "quoted": True, "known": None, "catalogue_separator": None}
    assert translated(old) == {"data": data, "seed": 1, **search}
    assert translated({"data": {"quoted": False}}) == {
        "data": {"quoted": False, "known": None, "catalogue_separator": None},
        **search,
    }
    assert translated({"search": {"student": 20}}) == {
        "search": none | {"student": 20}
    }  # when trials alone were counted
    assert translated({"name": "x"}, "data.") == data
    assert translated({"rank": {"trusts": [1.0]}}, "teacher.")["rank"] == {
        "student_weights": [1.0],
        "text_score_dropout": 0.0,
    }
    assert translated([1]) == [1] and translated({"data": None}) == {"data": None, **search}
    assert original({"name": "x", "quoted": True}, "data.") == {"name": "x"}
    assert original({"quoted": False}, "data.") == {"quoted": False}


def test_a_rename_keeps_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def teacher() -> str:
        loaded = config.load([])
        return fingerprints(pipeline("teacher", loaded), loaded, tmp_path)["teacher"]

    before = teacher()
    monkeypatch.setitem(FIRST_NAMES, NEW, "teacher.rank.another")
    assert teacher() != before  # the hash is made under the first names


def test_truth_values_that_became_words_read_from_old_runs_and_keep_their_fingerprint(tmp_path: Path) -> None:
    tree = asdict(config.load())
    assert (tree["evaluate"]["hide_seen"], tree["knowledge"]["hide_seen"]) == ("auto", "auto")
    assert tree["trainer"]["cuda_graph"] == "auto"
    for word, truth in (("true", True), ("false", False)):
        path = tmp_path / f"{word}.yaml"
        tree["evaluate"]["hide_seen"] = tree["knowledge"]["hide_seen"] = tree["trainer"]["cuda_graph"] = truth
        path.write_text(yaml.safe_dump(tree))
        loaded = config.read(path)
        assert loaded.evaluate.hide_seen == loaded.knowledge.hide_seen == loaded.trainer.cuda_graph == word
        assert config.tree_at(path)["evaluate"]["hide_seen"] == word
        assert config.load([f"evaluate.hide_seen={word.capitalize()}"]).evaluate.hide_seen == word
        old = original(asdict(loaded), "")
        assert old["knowledge"]["hide_seen"] is truth
    with pytest.raises(ConfigError, match="not allowed"):
        config.load(["evaluate.hide_seen=sometimes"])


def test_a_setting_that_was_added_to_a_section_of_a_section_is_no_part_of_old_fingerprints() -> None:
    columns = {"user": "u", "item": "i", "key": None}
    assert original({"columns": columns}, "data.") == {"columns": {"user": "u", "item": "i"}}
    assert original({"columns": columns | {"key": "id"}}, "data.") == {"columns": columns | {"key": "id"}}
    assert translated({"columns": {"user": "u"}}, "data.")["columns"] == {"user": "u", "key": None}
