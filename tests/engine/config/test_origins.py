"""Where each value comes from."""

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import config
from engine.config import Config
from engine.config.compose import REFERENCE, folder
from engine.config.origins import origins
from engine.config.settings.tree import settings
from engine.report.settings import flat

KEYS = [item.key for item in settings(Config)]


def origin(key: str, *overrides: str) -> str:
    return origins(overrides, KEYS)[key]


def test_each_kind_of_origin_is_named() -> None:
    assert origin("student.hidden") == "conf/student/_base.yaml"
    assert origin("student.blocks") == "conf/student/sasrec.yaml"
    assert origin("student.dropout") == "conf/experiment/demo.yaml"
    assert origin("student.dropout", "data=ml-100k") == "conf/student/_base.yaml"
    assert origin("student.dropout", "student.dropout=0.2") == "command line"
    assert origin("student.seed") == "conf/student/_base.yaml: ${seed}"
    assert origin("seed") == "conf/config.yaml"
    assert origin("teacher.generate.match") == "conf/teacher/_base.yaml"  # the section is null
    assert origin("teacher.gate.kind", "experiment=text-only") == "conf/experiment/no-gate.yaml"


def test_a_count_of_trials_that_no_longer_holds_has_no_file() -> None:
    assert origin("search.teacher") == "conf/experiment/demo.yaml"
    assert origin("search.student_epochs", "search.student=3") == "other settings of its model are given"
    assert origin("search.teacher", "teacher.steps=3") == "other settings of its model are given"
    assert origin("search.teacher", "teacher.steps=3", "search.teacher=3") == "command line"


def test_a_distilled_student_has_the_origins_of_the_student_it_follows() -> None:
    assert origin("distill.student.weight_decay", "student.weight_decay=0.2") == "command line"
    assert origin("distill.student.dropout", "student.dropout=0.2") == "conf/distill/dllm2rec-kl.yaml"
    assert origin("distill.student.loss", "distill=as-released") == "conf/distill/as-released.yaml"
    assert origin("distill.student.epochs", "distill.student.epochs=1") == "command line"


def test_a_saved_experiment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config.save("wide", ["student.hidden=128", "seed=4"])
    assert origin("student.hidden", "experiment=wide") == "experiment=wide (saved)"
    assert origin("seed", "experiment=wide", "seed=5") == "command line"


@pytest.mark.parametrize("name", config.groups()["experiment"])
def test_the_file_that_is_named_states_the_value_in_force(name: str) -> None:
    loaded = config.resolve([f"experiment={name}"])
    values = flat(asdict(loaded.config))
    for key, where in origins([f"experiment={name}"], KEYS).items():
        file, _, reference = where.partition(": ")
        group = Path(file).parent.name
        stated = values_in(file)
        own = key.removeprefix("distill.student.") if key.startswith("distill.student.") and group == "student" else key
        own = own.removeprefix(group + ".")
        if reference:
            target = REFERENCE.fullmatch(reference)
            assert target is not None
            expected = {**values, **{f"choices.{g}": c for g, c in loaded.choices.items()}}[target[1]]
        else:
            # An experiment's student section is the distilled student's too, where it has no own value for it.
            names = [own, own.removeprefix("distill.")] if key.startswith("distill.student.") else [own]
            parts = [part for name in names for part in _upwards(name)]
            expected = next((stated[part] for part in parts if part in stated), "not there")
        assert values.get(key) == expected, (key, where)


@functools.cache
def values_in(file: str) -> dict[str, Any]:
    """Dotted name -> value of what a file of ``conf/`` states itself."""
    return flat(yaml.safe_load((folder().parent / file).read_text(encoding="utf-8")))


def _upwards(key: str) -> list[str]:
    words = key.split(".")
    return [".".join(words[:count]) for count in range(len(words), 0, -1)]
