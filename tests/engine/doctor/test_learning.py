"""Trainings that cannot learn, planted one by one into the code of a stage."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import config
from engine.runs.event_writer import EventWriter
from engine.runs.run import Run
from engine.runs.schema import CONFIG, DEVICES, EVENTS
from engine.stages import STAGES
from engine.student import training_plan
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.teacher.lora.fused import Copies
from tests.fixtures.doctor import Doctor

CHECKS = ("dry-run", "initial-loss", "overfits", "gradients", "learning-rate")


GBCE = ["student.loss=gbce", "student.negatives=16", "student.calibration=0.9"]


@pytest.mark.parametrize("stage", ["student", "backbone", "teacher", "distill"])
def test_a_sound_training_can_learn(doctor: Doctor, stage: str) -> None:
    before = list(STAGES)[: list(STAGES).index(stage)]
    found = doctor.outcomes([f"{stage}-{check}" for check in CHECKS], *before)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


@pytest.mark.parametrize(
    "overrides",
    [
        ["student=gru4rec"],
        ["student=sasrec-reference"],
        ["student.loss=bce", "student.negatives=4"],
        ["student.loss=gbce", "student.negatives=8", "student.calibration=0.75"],
        ["student.loss=sampled-softmax", "student.negatives=20"],
        ["student.normalise=true", "student.temperature=0.05"],
        ["student.normalise=true", "student.temperature=0.07", *GBCE],
    ],
    ids=" ".join,
)
def test_other_sound_students_can_learn_too(doctor: Doctor, overrides: list[str]) -> None:
    small = config.read(doctor.finished["data"] / CONFIG)
    other = config.load(["student.temperature=1.0", *overrides, "student.hidden=16"])
    found = doctor.outcomes(
        [f"student-{check}" for check in CHECKS], "data", config=replace(small, student=other.student)
    )
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
def test_other_sound_teachers_and_taught_students_get_gradients_too(doctor: Doctor, overrides: list[str]) -> None:
    stage = overrides[0].partition("=")[0]
    other = getattr(config.load([*overrides, "student.hidden=16"]), stage)
    before = list(STAGES)[: list(STAGES).index(stage)]
    settings = replace(config.read(doctor.finished["data"] / CONFIG), **{stage: other})
    # A language model of 16 numbers a token is too small to learn a batch by heart.
    asked = [f"{stage}-{check}" for check in ("dry-run", "gradients", "learning-rate")]
    found = doctor.outcomes(asked, *before, config=settings)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


@pytest.mark.parametrize(
    "overrides",
    [
        ["distill.dro.alpha=0.5"],
        ["distill.dro.alpha=1.0", "distill.kl.weight=1.0", "distill.hint=1.0", "distill.ranking.weight=2.0"],
        ["student.loss=bce", "student.negatives=1", "distill=as-released", "distill.dro.alpha=1.0"],
    ],
    ids=" ".join,
)
def test_teachers_terms_of_any_weight_do_not_keep_a_batch_from_being_overfitted(
    doctor: Doctor, overrides: list[str]
) -> None:
    other = config.load(["student.temperature=1.0", *overrides, "student.hidden=16"]).distill
    settings = replace(config.read(doctor.finished["data"] / CONFIG), distill=other)
    before = ("data", "student", "backbone", "teacher", "knowledge")
    found = doctor.outcomes(["distill-overfits", "distill-gradients"], *before, config=settings)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


def normalised(doctor: Doctor, temperature: float) -> config.Config:
    """The settings with students of normalised vectors, the distilled one at this temperature."""
    student = replace(doctor.settings.student, normalise=True, temperature=0.1)
    distill = replace(doctor.settings.distill, student=replace(student, temperature=temperature))
    return replace(doctor.settings, student=student, distill=distill)


BEFORE_DISTILL = ("data", "student", "backbone", "teacher", "knowledge")


def test_a_temperature_too_high_for_normalised_vectors_is_named_and_nothing_else(doctor: Doctor) -> None:
    names = [f"distill-{check}" for check in CHECKS]
    found = doctor.outcomes(names, *BEFORE_DISTILL, config=normalised(doctor, 0.848))
    initial = found.pop("distill-initial-loss")
    assert initial.verdict == "warn" and "within 1.18 of 0" in initial.evidence
    assert "too high for normalised vectors" in initial.cause and "distill.student.temperature" in initial.remedy
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


def test_a_temperature_that_normalised_vectors_can_bear_is_sound(doctor: Doctor) -> None:
    names = ["distill-initial-loss", "distill-overfits"]
    found = doctor.outcomes(names, *BEFORE_DISTILL, config=normalised(doctor, 0.4))  # 80 items
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, "pass"), found


@pytest.mark.parametrize("left_out", ["one expert", "text alone"])
def test_parameters_that_the_settings_leave_out_need_no_gradient(doctor: Doctor, left_out: str) -> None:
    teacher = doctor.settings.teacher
    assert teacher.rank is not None
    other = {
        "one expert": replace(teacher, lora=replace(teacher.lora, experts=1), gate=replace(teacher.gate, top=1)),
        "text alone": replace(teacher, rank=replace(teacher.rank, states=False)),
    }[left_out]
    settings = replace(doctor.settings, teacher=other)
    found = doctor.outcomes(["teacher-gradients"], "data", "student", "backbone", config=settings)["teacher-gradients"]
    assert found.verdict == "pass" and "the settings leave" in found.evidence


def test_a_learning_rate_of_zero_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_plan, "schedule", lambda *about: lambda step: 0.0)
    found = doctor.outcomes(
        ("student-learning-rate", "student-dry-run"),
        "data",
    )
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "student-dry-run": "pass", "student-learning-rate": "fail",
    }  # fmt: skip


def test_an_optimizer_with_a_learning_rate_of_zero_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = StudentModule.configure_optimizers

    def still(self: Any) -> Any:
        optimizer = sound(self)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        return optimizer

    monkeypatch.setattr(StudentModule, "configure_optimizers", still)
    found = doctor.outcomes(
        ("student-learning-rate", "student-overfits", "student-gradients"),
        "data",
    )
    assert {outcome.verdict for outcome in found.values()} == {"fail"}
    assert "does not change" in found["student-gradients"].evidence


@pytest.mark.parametrize("temperature", [None, 0.1, 0.848])
def test_labels_that_are_drawn_anew_each_time_cannot_be_learned_by_heart(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, temperature: float | None
) -> None:
    """Whatever the temperature of normalised vectors, too."""
    sound, draw = BatchSampler.__call__, torch.Generator().manual_seed(0)

    def drawn(self: Any, step: int) -> Any:
        batch = sound(self, step)
        targets = torch.randint(1, 81, batch.targets.shape, generator=draw)
        return replace(batch, targets=targets)

    monkeypatch.setattr(BatchSampler, "__call__", drawn)
    student = doctor.settings.student
    if temperature is not None:
        student = replace(student, normalise=True, temperature=temperature)
    settings = replace(doctor.settings, student=student)
    assert "loss of one batch" in doctor.fault("student-overfits", "data", config=settings).evidence


def test_a_detached_part_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = SequenceModel.encode
    monkeypatch.setattr(SequenceModel, "encode", lambda self, *given: sound(self, *given).detach())
    evidence = doctor.fault("student-gradients", "data").evidence
    assert "no gradient" in evidence and "network" in evidence


def test_a_detached_adapter_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Copies.apply
    monkeypatch.setattr(Copies, "apply", lambda *given: tuple(copy.detach() for copy in sound(*given)))
    evidence = doctor.fault("teacher-gradients", "data", "student", "backbone").evidence
    assert "no gradient" in evidence and "lora_a" in evidence


def test_a_part_outside_of_the_optimizer_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = StudentModule.configure_optimizers

    def forgetful(self: Any) -> Any:
        optimizer = sound(self)
        optimizer.param_groups[-1]["params"].clear()
        return optimizer

    monkeypatch.setattr(StudentModule, "configure_optimizers", forgetful)
    assert "does not change" in doctor.fault("student-gradients", "data").evidence


def test_initial_weights_of_the_wrong_size_are_named(doctor: Doctor) -> None:
    wrong = replace(doctor.settings, student=replace(doctor.settings.student, initial=20.0))
    outcome = doctor.fault("student-initial-loss", "data", config=wrong)
    assert "far too large" in outcome.cause


def test_a_target_that_is_seen_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(self: Any, batch: Any) -> Any:
        states = torch.nn.functional.embedding(batch.targets, self.model.item_table()[0]) * 1e4
        return torch.nn.functional.cross_entropy(states @ self.model.item_table()[0].T, batch.targets)

    monkeypatch.setattr(StudentModule, "loss", shown)
    assert "visible in the input" in doctor.fault("student-initial-loss", "data").cause


@pytest.mark.parametrize("stage", ["student", "knowledge", "evaluate"])
def test_a_stage_that_ends_in_an_error_is_named_and_what_needs_it_is_skipped(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def broken(config: config.Config, run: Run) -> None:
        raise ValueError("shapes do not match")

    monkeypatch.setattr(f"engine.{stage}.stage.run", broken)
    found = doctor.outcomes((f"{stage}-dry-run",), "data", *(("student", "backbone", "teacher") * (stage != "student")))
    assert found[f"{stage}-dry-run"].verdict == "fail" and "shapes do not match" in found[f"{stage}-dry-run"].evidence


def test_what_needs_a_broken_stage_is_skipped_with_the_reason(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.student.stage.run", lambda config, run: [][0])
    found = doctor.outcomes(
        ("student-overfits", "causal-mask", "teacher-overfits"),
        "data",
    )
    assert {outcome.verdict for outcome in found.values()} == {"skip"}
    assert all("student does not run: IndexError" in outcome.evidence for outcome in found.values())


def test_a_finished_run_that_reported_nothing_wrong_is_sound(doctor: Doctor) -> None:
    assert doctor.outcomes(("student-health",), "data", "student")["student-health"].verdict == "pass"


def with_devices(folder: Path, *cards: dict[str, float], top: float = 0.2, used: float = 4e9) -> Path:
    """The run with three readings of a machine of 10 GB while it trained."""
    times = [json.loads(line)["t"] for line in (folder / EVENTS).read_text().splitlines() if '"k":"s"' in line]
    writer = EventWriter(folder / DEVICES, clock=lambda: times[-1])
    writer.write("machine", every=2.0, cores=4, limit=10e9)
    for _ in range(3):
        writer.write(
            "sys", n=1, cpu=top, top=top, used=used, gpus=[{"i": 0, "own": 1e9, "mem": 2e9} | c for c in cards]
        )
    writer.close()
    return folder


def test_devices_that_were_in_use_are_sound_and_counted(doctor: Doctor) -> None:
    folder = with_devices(doctor.copy("student"), {"busy": 0.87})
    (found,) = doctor.outcomes(("student-devices",), "data", altered={"student": folder}).values()
    assert found.verdict == "pass", found
    assert found.evidence.startswith("gpu0 computes 87% of the time, memory at most 40% full, busiest process")


@pytest.mark.parametrize(
    ("busy", "used", "evidence", "cause"),
    [
        (0.05, 4e9, "gpu0 computes 5% of the time", "the GPU waits"),
        (0.9, 9.9e9, "memory at most 99% full", "the kernel"),
    ],
)
def test_a_gpu_that_waits_and_full_memory_are_warnings(
    doctor: Doctor, busy: float, used: float, evidence: str, cause: str
) -> None:
    folder = with_devices(doctor.copy("student"), {"busy": busy}, used=used)
    (found,) = doctor.outcomes(("student-devices",), "data", altered={"student": folder}).values()
    assert found.verdict == "warn" and evidence in found.evidence and found.cause.startswith(cause) and found.remedy


def test_devices_that_were_not_read_are_skipped(doctor: Doctor) -> None:
    (found,) = doctor.outcomes(("student-devices",), "data", "student").values()
    assert found.verdict == "skip"


def test_a_group_without_gradient_in_a_finished_run_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("student")
    lines = (folder / EVENTS).read_text().splitlines()
    grads = [json.loads(line) for line in lines if '"k":"grad"' in line]
    extra = [grads[-1] | {"g": [None, *grads[-1]["g"][1:]], "step": 1000 + k, "q": 10_000 + k} for k in range(4)]
    (folder / EVENTS).write_text("\n".join([*lines, *map(json.dumps, extra)]) + "\n")
    assert "grad_none (embedding)" in doctor.fault("student-health", "data", altered={"student": folder}).evidence
