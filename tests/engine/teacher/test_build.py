"""A teacher built from the artifacts of earlier stages, and what the log says about how its language model runs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine import config
from engine.backbone.sharding import Held
from engine.config.settings.teacher import TeacherSettings
from engine.config.settings.trainer import TrainerSettings
from engine.data.sequences import Rows
from engine.errors import ConfigError, RunError
from engine.metrics import ranking
from engine.runs.run_files import RunFiles
from engine.stages import ADAPTER, TEXT_VECTORS, VALIDATION
from engine.teacher.build import TeacherSetup, build, replay, settings_of
from engine.teacher.objectives.rank_collator import all_queries
from engine.teacher.prompting.spans import heldout_spans
from tests.fixtures.small_runs import SMALL


class Log:
    """Instead of a run: what it was asked to write."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: str, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def folder(new_chain: Callable[[], Any]) -> Path:
    """Of a planned teacher."""
    chain = new_chain()
    return Path(chain.start("teacher")[1])


def settings(*words: str) -> TeacherSettings:
    return config.load([*SMALL, *words]).teacher


def trainer(**changes: Any) -> TrainerSettings:
    return replace(config.load([]).trainer, **({"cuda_graph": "true"} | changes))


@pytest.fixture(scope="module")
def setup(folder: Path) -> TeacherSetup:
    return build(settings(), RunFiles(folder), "cpu")


def logged(setup: TeacherSetup, own: TrainerSettings, learns: bool = True) -> list[str]:
    run: Any = Log()
    replay(setup, own, run, learns)
    return list(run.lines)


def test_until_it_is_trained_its_scores_are_the_students(setup: TeacherSetup, folder: Path) -> None:
    rows = Rows.load(RunFiles(folder).input(VALIDATION)).some(np.arange(8))
    states = setup.student.after_rows(rows, "cpu", lambda done, total: None)
    spans = heldout_spans(rows, setup.settings.history + 1)
    queries, _ = all_queries(setup, spans, states, np.arange(8), 4, lambda done, total: None)
    head, student = setup.teacher.head, setup.student
    assert head is not None
    with torch.no_grad():
        own = ranking.score_items(queries, head.table(student.table), student.bias)
        plain = ranking.score_items(states, student.table, student.bias)
    torch.testing.assert_close(own[:, 1:], plain[:, 1:], rtol=1e-4, atol=1e-5)


def test_only_experts_gate_projector_and_head_learn(setup: TeacherSetup) -> None:
    learning = {
        name.split(".")[-1] for name, value in setup.teacher.language_model.named_parameters() if value.requires_grad
    }
    assert learning == {"lora_a", "lora_b"} and not setup.teacher.training
    assert all(
        any(value.requires_grad for value in part.parameters())
        for part in (setup.teacher.gate, setup.teacher.projector)
    )
    assert not any(value.requires_grad for value in setup.student.model.parameters())


def test_the_seed_of_the_settings_alone_decides_the_new_weights(folder: Path) -> None:
    made = [build(settings(f"teacher.seed={seed}"), RunFiles(folder), "cpu").teacher.state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())
    assert any(not torch.equal(value, made[2][name]) for name, value in made[0].items())


def test_catalogues_that_disagree_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder.parent, tmp_path / "runs", symlinks=True)
    path = copy / "backbone" / "artifacts" / TEXT_VECTORS.file
    save_file({"vectors": load_file(path)["vectors"][:-1].contiguous()}, path)
    with pytest.raises(RunError, match="disagree about the catalogue: 81, 81 and 80 rows"):
        build(settings(), RunFiles(copy / "teacher"), "cpu")


def test_prompts_longer_than_the_language_model_reads_are_refused_with_its_limit(folder: Path) -> None:
    with pytest.raises(ConfigError, match="prompts of 5000 tokens") as caught:
        build(settings("teacher.context=5000"), RunFiles(folder), "cpu")
    assert caught.value.location == "teacher.context" and "2048" in caught.value.remedy


def test_quantised_weights_are_not_divided_among_devices(folder: Path) -> None:
    with pytest.raises(ConfigError, match="quantised weights cannot be divided") as caught:
        build(replace(settings(), quantise="4bit"), RunFiles(folder), "cpu", sharded=True)
    assert caught.value.location == "trainer.strategy"


@pytest.mark.parametrize(
    ("changes", "own", "learns", "reason"),
    [
        ({"strategy": "fsdp"}, {}, False, "processes communicate within a step"),
        ({"devices": 2}, {}, True, "processes communicate within a step"),
        ({}, {"checkpointing": True}, True, "teacher.checkpointing recomputes"),
        ({}, {"quantise": "4bit"}, True, "its weights are quantised"),
    ],
)
def test_the_log_says_why_passes_are_not_replayed(
    setup: TeacherSetup, changes: dict[str, Any], own: dict[str, Any], learns: bool, reason: str
) -> None:
    chosen = replace(setup, settings=replace(setup.settings, **own))
    (line,) = logged(chosen, trainer(**changes), learns)
    assert line.startswith("the language model runs without CUDA graphs: ") and reason in line
    assert setup.teacher.passes is None


def test_prompts_that_cannot_be_packed_are_not_replayed_and_an_automatic_choice_on_a_processor_says_nothing(
    setup: TeacherSetup,
) -> None:
    assert "cannot be packed" in logged(replace(setup, pack=None), trainer())[0]
    assert logged(setup, trainer(cuda_graph="auto")) == [] and setup.teacher.passes is None


def test_the_log_says_what_a_device_holds_and_why_all_was_read_first(setup: TeacherSetup) -> None:
    held = replace(setup, held=Held(500, 1000, None))
    own = trainer(cuda_graph="false")
    assert logged(held, own) == ["500 of the 1,000 weights of the language model's blocks are on this device"]
    _, second = logged(replace(setup, held=Held(500, 1000, "they are not in safetensors files")), own)
    assert "read the whole language model first" in second and "they are not in safetensors files" in second


def test_an_adapter_has_the_settings_that_it_was_trained_with_also_under_their_old_names(
    small_runs: Any, tmp_path: Path
) -> None:
    path = small_runs.made("teacher", ADAPTER)
    assert settings_of(path) == config.read(small_runs.runs / "teacher" / "config.yaml").teacher
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    tree = json.loads(about["teacher"])
    tree["settings"]["rank"]["trusts"] = tree["settings"]["rank"].pop("student_weights")
    save_file(load_file(path), tmp_path / "old.safetensors", metadata=about | {"teacher": json.dumps(tree)})
    assert settings_of(tmp_path / "old.safetensors") == settings_of(path)
