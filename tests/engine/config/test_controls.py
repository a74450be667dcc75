"""Experiments as lists: a base and controls."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine import config
from engine.config import controls
from engine.config.origins import origins
from engine.errors import ConfigError
from engine.experiments.sweep import combinations

CHANGES = [name for name in controls.controls() if name != "llm-teacher"]  # which gives data the base's own recipe


@pytest.mark.parametrize("name", CHANGES)
def test_a_control_alone_is_the_control_on_the_default_experiment(name: str) -> None:
    alone = config.load([f"experiment={name}"])
    assert alone == config.load([f"experiment=[demo,{name}]"]) == config.load([f"experiment=[{name},demo]"])
    assert alone.student == config.load([]).student and alone.data.name == "demo"
    assert alone != config.load([])
    assert config.resolve([f"experiment={name}"]).label == name


@pytest.mark.parametrize("name", CHANGES)
def test_a_control_changes_the_same_of_every_base_and_ranks_what_it_is_about(name: str) -> None:
    base = config.load(["experiment=amazon-toys"])
    changed = config.load([f"experiment=[amazon-toys,{name}]"])
    assert (changed.data, changed.student, changed.backbone) == (base.data, base.student, base.backbone)
    assert (changed.teacher, changed.knowledge, changed.distill) != (base.teacher, base.knowledge, base.distill)
    assert {"student", "distilled", "transitions+titles"} <= set(changed.evaluate.models)
    resolved = config.resolve([f"experiment=[amazon-toys,{name}]"])
    assert (resolved.choices["experiment"], resolved.label) == (f"[amazon-toys,{name}]", f"amazon-toys+{name}")


def test_a_control_of_chosen_data_leaves_their_other_settings_as_they_are() -> None:
    plain, changed = (config.load(["data=ml-100k", f"experiment={name}"]) for name in ("llm-teacher", "no-gate"))
    gate = replace(plain.teacher.gate, kind="uniform")
    assert changed == replace(plain, teacher=replace(plain.teacher, gate=gate), evaluate=changed.evaluate)


def test_the_teacher_alone_is_what_a_base_of_named_data_has_and_contradicts_counting() -> None:
    base, named = config.load(["experiment=amazon-toys"]), config.load(["experiment=[amazon-toys,llm-teacher]"])
    assert named == replace(base, evaluate=named.evaluate) and "teacher" in named.evaluate.models
    with pytest.raises(ConfigError, match="contradict each other"):
        config.load(["data=ml-100k", "experiment=[llm-teacher,transitions-titles]"])


def test_controls_add_up_and_one_that_another_continues_is_named_once() -> None:
    both = config.load(["experiment=[demo,no-gate,no-embedding-distillation]"])
    assert (both.teacher.gate.kind, both.distill.injection.weight) == ("uniform", 0.0)
    assert config.resolve(["experiment=[demo,no-gate,text-only]"]).choices["experiment"] == "[demo,text-only]"
    assert config.load(["experiment=[demo,no-gate]", "teacher.gate.kind=softmax"]).teacher.gate.kind == "softmax"


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("[demo,no-gte]", "no choice 'no-gte'", "no-gate"),
        ("[demo,amazon-toys]", "demo and amazon-toys each choose their own data", "no-language-model"),
        ("[demo,no-gate,no-gate]", "twice", ""),
        ("[demo,sequential-text,no-embedding-distillation]", "contradict each other: distill.injection.weight", ""),
        ("demo,no-gate", "'demo,no-gate' is no experiment", "experiment=[demo,no-gate]"),
        ("[]", "no choice ''", "demo"),
    ],
)
def test_a_list_that_means_nothing_is_refused(text: str, cause: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.load([f"experiment={text}"])
    assert cause in error.value.cause and remedy in error.value.remedy


def test_the_file_of_the_control_is_the_origin_of_what_it_changes() -> None:
    words = ["experiment=[amazon-toys,text-only]"]
    found = origins(words, ["teacher.gate.kind", "teacher.slots", "student.batch", "teacher.steps"])
    assert list(found.values()) == [
        *("conf/experiment/no-gate.yaml", "conf/experiment/text-only.yaml"),
        *("conf/experiment/amazon-toys.yaml", "conf/experiment/amazon-toys.yaml"),
    ]


def test_a_control_of_both_objectives_leaves_out_what_it_says_of_the_other_one() -> None:
    words = ["experiment=[paper-ilora-movielens,text-only]"]
    base, changed = config.load(["experiment=paper-ilora-movielens"]), config.load(words)
    gate = replace(base.teacher.gate, kind="uniform")
    assert changed.teacher == replace(base.teacher, slots=False, gate=gate)
    assert changed.teacher.rank is None
    assert config.load(["experiment=text-only"]).teacher.rank.student_weights == [0.0]  # type: ignore[union-attr]
    assert origins(words, ["teacher.rank.student_weights"]) == {
        "teacher.rank.student_weights": "conf/teacher/_base.yaml"
    }


def test_a_control_of_the_head_is_refused_for_a_teacher_that_has_none() -> None:
    with pytest.raises(ConfigError) as error:
        config.load(["experiment=[paper-ilora-movielens,no-language-model]"])
    assert error.value.cause == "teacher.rank.states cannot be set: teacher=generate has no teacher.rank"
    assert "teacher=rank" in error.value.remedy


def test_a_sweep_runs_a_base_with_and_without_its_controls() -> None:
    grid = combinations(["experiment=[demo],[demo,no-gate]", "seed=1,2"])
    assert [point.config.teacher.gate.kind for point in grid] == ["softmax", "softmax", "uniform", "uniform"]
    assert grid[2].name == "experiment=[demo,no-gate] seed=1"


def test_a_saved_experiment_takes_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config.save("wide", ["experiment=amazon-toys", "student.hidden=128"])
    loaded = config.load(["experiment=[wide,no-gate]"])
    assert (loaded.data.name, loaded.student.hidden, loaded.teacher.gate.kind) == ("amazon-toys", 128, "uniform")
    config.save("wider", ["student.hidden=256"])
    loaded = config.load(["experiment=[wider,no-gate]"])
    assert loaded == config.load(["experiment=no-gate", "student.hidden=256"])
