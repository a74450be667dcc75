"""Trainings that cannot learn, planted one by one into the code of a stage."""

import json
from dataclasses import replace

import pytest
import torch

from engine import config
from engine.runs.run import Run
from engine.runs.schema import CONFIG, EVENTS
from engine.student import training_plan
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.teacher.lora.moe_lora import _Fused

CHECKS = ("runs", "starts-at-chance", "overfits", "gradients", "learning-rate")


@pytest.mark.parametrize("stage", ["student", "backbone", "teacher", "distill"])
def test_a_sound_training_can_learn(case, done, look, stage):
    before = [name for name in done if name != stage and list(done).index(name) < list(done).index(stage)]
    found = look(case(*before), *(f"{stage}-{check}" for check in CHECKS))
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


@pytest.mark.parametrize(
    "overrides",
    [
        ["student=gru4rec"],
        ["student=sasrec-reference"],
        ["student.loss=bce", "student.negatives=4"],
        ["student.loss=gbce", "student.negatives=8", "student.calibration=0.75"],
        ["student.loss=sampled-softmax", "student.negatives=20"],
    ],
    ids=" ".join,
)
def test_other_sound_students_can_learn_too(case, look, done, overrides):
    small = config.read(done["data"] / CONFIG)
    other = config.load([*overrides, "student.hidden=16"])
    found = look(case("data", config=replace(small, student=other.student)), *(f"student-{check}" for check in CHECKS))
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


@pytest.mark.parametrize(
    "overrides",
    [
        [
            "teacher=generate",
            "teacher.templates=Seen [HistoryHere]. One of [CansHere]:",
            "teacher.generate.candidates=4",
            "teacher.generate.new_tokens=4",
        ],
        ["distill=as-released"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_other_sound_teachers_and_taught_students_get_gradients_too(case, look, done, overrides):
    stage = overrides[0].partition("=")[0]
    other = getattr(config.load([*overrides, "student.hidden=16"]), stage)
    before = [name for name in done if list(done).index(name) < list(done).index(stage)]
    settings = replace(config.read(done["data"] / CONFIG), **{stage: other})
    # A language model of 16 numbers a token is too small to learn a batch by heart.
    asked = [f"{stage}-{check}" for check in ("runs", "gradients", "learning-rate")]
    found = look(case(*before, config=settings), *asked)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


def test_a_learning_rate_of_zero_is_named(case, look, monkeypatch):
    monkeypatch.setattr(training_plan, "schedule", lambda *about: lambda step: 0.0)
    found = look(case("data"), "student-learning-rate", "student-runs")
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "student-runs": "pass", "student-learning-rate": "fail",
    }  # fmt: skip


def test_an_optimizer_with_a_learning_rate_of_zero_is_named(case, look, monkeypatch):
    sound = StudentModule.configure_optimizers

    def still(self):
        optimizer = sound(self)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        return optimizer

    monkeypatch.setattr(StudentModule, "configure_optimizers", still)
    found = look(case("data"), "student-learning-rate", "student-overfits", "student-gradients")
    assert {outcome.verdict for outcome in found.values()} == {"fail"}
    assert "does not move" in found["student-gradients"].evidence


def test_labels_that_are_drawn_anew_each_time_cannot_be_learned_by_heart(case, named, monkeypatch):
    sound, draw = BatchSampler.__call__, torch.Generator().manual_seed(0)

    def drawn(self, step):
        batch = sound(self, step)
        targets = torch.randint(1, 81, batch.targets.shape, generator=draw)
        return replace(batch, targets=targets)

    monkeypatch.setattr(BatchSampler, "__call__", drawn)
    assert "loss of one batch" in named(case("data"), "student-overfits").evidence


def test_a_detached_part_is_named(case, named, monkeypatch):
    sound = SequenceModel.encode
    monkeypatch.setattr(SequenceModel, "encode", lambda self, *given: sound(self, *given).detach())
    evidence = named(case("data"), "student-gradients").evidence
    assert "no gradient" in evidence and "network" in evidence


def test_a_detached_adapter_is_named(case, named, monkeypatch):
    sound = _Fused.apply
    monkeypatch.setattr(_Fused, "apply", lambda x, gate, a, b, *rest: sound(x, gate, a.detach(), b.detach(), *rest))
    evidence = named(case("data", "student", "backbone"), "teacher-gradients").evidence
    assert "no gradient" in evidence and "lora_a" in evidence


def test_a_part_outside_of_the_optimizer_is_named(case, named, monkeypatch):
    sound = StudentModule.configure_optimizers

    def forgetful(self):
        optimizer = sound(self)
        optimizer.param_groups[-1]["params"].clear()
        return optimizer

    monkeypatch.setattr(StudentModule, "configure_optimizers", forgetful)
    assert "does not move" in named(case("data"), "student-gradients").evidence


def test_initial_weights_of_the_wrong_size_are_named(case, named, settings):
    wrong = replace(settings, student=replace(settings.student, initial=20.0))
    outcome = named(case("data", config=wrong), "student-starts-at-chance")
    assert "far too large" in outcome.cause


def test_a_target_that_is_seen_is_named(case, named, monkeypatch):
    def told(self, batch, step):
        states = torch.nn.functional.embedding(batch.targets, self.model.item_table()[0]) * 1e4
        return torch.nn.functional.cross_entropy(states @ self.model.item_table()[0].T, batch.targets)

    monkeypatch.setattr(StudentModule, "loss", told)
    assert "can be seen" in named(case("data"), "student-starts-at-chance").cause


@pytest.mark.parametrize("stage", ["student", "knowledge", "evaluate"])
def test_a_stage_that_ends_in_an_error_is_named_and_what_needs_it_is_skipped(case, look, monkeypatch, stage):
    def broken(config: config.Config, run: Run) -> None:
        raise ValueError("shapes do not match")

    monkeypatch.setattr(f"engine.{stage}.stage.run", broken)
    found = look(case("data", *(("student", "backbone", "teacher") * (stage != "student"))), f"{stage}-runs")
    assert found[f"{stage}-runs"].verdict == "fail" and "shapes do not match" in found[f"{stage}-runs"].evidence


def test_what_needs_a_broken_stage_is_skipped_with_the_reason(case, look, monkeypatch):
    monkeypatch.setattr("engine.student.stage.run", lambda config, run: [][0])
    found = look(case("data"), "student-overfits", "future-is-unseen", "teacher-overfits")
    assert {outcome.verdict for outcome in found.values()} == {"skip"}
    assert all("student does not run: IndexError" in outcome.evidence for outcome in found.values())


def test_a_finished_run_that_reported_nothing_wrong_is_sound(case, look):
    assert look(case("data", "student"), "student-health")["student-health"].verdict == "pass"


def test_a_group_without_gradient_in_a_finished_run_is_named(case, copy, named):
    folder = copy("student")
    lines = (folder / EVENTS).read_text().splitlines()
    grads = [json.loads(line) for line in lines if '"k":"grad"' in line]
    extra = [grads[-1] | {"g": [None, *grads[-1]["g"][1:]], "step": 1000 + k, "q": 10_000 + k} for k in range(4)]
    (folder / EVENTS).write_text("\n".join([*lines, *map(json.dumps, extra)]) + "\n")
    assert "grad_none (embedding)" in named(case("data", altered={"student": folder}), "student-health").evidence
