from pathlib import Path

import pytest

from engine import config
from engine.errors import UserError
from engine.report.settings import changed, differing, flat, settings_of
from engine.runs.schema import CONFIG


def test_a_tree_becomes_dotted_names() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_settings_are_read_flat_and_clean(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{student: {name: "x\\e[31my", sizes: [1, 2]}, seed: 3}')
    found = settings_of(tmp_path)
    assert {name: value for name, value in found.items() if value is not None} == {
        "student.name": "xy",
        "student.sizes": [1, 2],
        "student.refit": False,  # as an earlier version has it
        "seed": 3,
    }


def test_a_configuration_that_cannot_be_read_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("{a: [")
    with pytest.raises(UserError, match=f"engine rm {tmp_path.name}"):
        settings_of(tmp_path)


def test_what_differs_leaves_out_the_seed_what_follows_it_and_where_a_run_worked() -> None:
    one = {"seed": 1, "student.seed": 1, "student.lr": 0.1, "trainer.accelerator": "cpu", "student.tied": True}
    other = {"seed": 2, "student.seed": 2, "student.lr": 0.2, "trainer.accelerator": "gpu", "student.tied": 1}
    assert differing([one, other]) == ["student.lr", "student.tied"]
    assert differing([one, {**one, "extra.x": None}]) == []
    assert differing([one, one]) == []


def test_only_the_own_settings_that_differ_from_the_defaults_are_changed(tmp_path: Path) -> None:
    loaded = config.load(["student.dropout=0.45", "evaluate.models=[student]", "seed=7", "distill.ranking.top=9"])
    (tmp_path / CONFIG).write_text(config.dump(loaded))
    default = config.load()
    assert changed(tmp_path, "student") == {
        "seed": [7, default.seed],
        "student.dropout": [0.45, default.student.dropout],
    }
    assert changed(tmp_path, "evaluate") == {
        "seed": [7, default.seed],
        "evaluate.models": [["student"], list(default.evaluate.models)],
    }


def test_of_a_configuration_that_cannot_be_read_nothing_is_known(tmp_path: Path) -> None:
    assert changed(tmp_path, "student") is None
