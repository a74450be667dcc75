"""Models that drop out at evaluation, compute something else in training, or count positions in two ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from engine import config
from engine.config import Config
from engine.student import dropout, model, validation
from engine.student.batches import stretches
from engine.student.model import SequenceModel, load_student
from engine.student.sasrec import SASRec
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.lora.gate import SoftmaxGate
from engine.training.callback import TrainingCallback
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")
OTHERS = ("padding-is-ignored", "causal-mask")
MODES = [f"{stage}-evaluation-mode" for stage in ("student", "teacher", "distill")]
POSITIONS = ["student-positions", "distill-positions"]


def verdicts(found: Any) -> dict[str, str]:
    return {name: outcome.verdict for name, outcome in found.items()}


def with_student(settings: Config, *overrides: str) -> Config:
    """The small experiment with another student and another distilled one."""
    other = config.load([*overrides, "student.hidden=16"]).student
    distill = replace(settings.distill, student=replace(other, epochs=1))
    return replace(settings, student=other, distill=distill)


def test_sound_models_compute_the_same_in_every_mode(doctor: Doctor) -> None:
    found = doctor.outcomes([*MODES, *POSITIONS], *BEFORE, "distill")
    assert verdicts(found) == dict.fromkeys([*MODES, *POSITIONS], "pass"), found


@pytest.mark.parametrize(
    "overrides",
    [
        ["student.dropout=0.9", "student.max_length=4"],
        ["student=gru4rec", "student.dropout=0.5"],
        ["student=caser", "student.max_length=8"],
        ["student=sasrec-reference", "student.max_length=3"],
    ],
    ids=" ".join,
)
def test_strong_dropout_other_networks_and_cut_histories_are_none(doctor: Doctor, overrides: list[str]) -> None:
    names = ["student-evaluation-mode", "student-positions"]
    found = doctor.outcomes(names, "data", config=with_student(doctor.settings, *overrides))
    assert verdicts(found) == dict.fromkeys(names, "pass"), found


@pytest.mark.parametrize("gate", ["noisy", "dropout", "resnet1d"])
def test_gates_that_are_random_in_training_are_none(doctor: Doctor, gate: str) -> None:
    teacher = doctor.settings.teacher
    lora = replace(teacher.lora, dropout=0.5)
    other = replace(doctor.settings, teacher=replace(teacher, gate=replace(teacher.gate, kind=gate), lora=lora))
    found = doctor.outcomes(["teacher-evaluation-mode"], "data", "student", "backbone", config=other)
    assert verdicts(found) == {"teacher-evaluation-mode": "pass"}, found


def test_a_student_that_is_left_in_training_mode_is_named_and_not_called_padding(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("modes", "student"):
        monkeypatch.setattr(f"engine.doctor.{module}.load_student", lambda *given: load_student(*given).train())
    found = doctor.outcomes(["student-evaluation-mode", *OTHERS], "data", "student")
    assert verdicts(found) == {"student-evaluation-mode": "fail"} | dict.fromkeys(OTHERS, "pass"), found
    assert found["student-evaluation-mode"].cause.startswith("dropout at evaluation")


@pytest.mark.parametrize("stage", ["student", "distill"])
def test_dropout_that_does_not_ask_for_the_mode_is_named_and_not_called_padding(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    sound = dropout.Dropout.mask

    def always(self: Any, like: Any) -> Any:
        was, self.training = self.training, True
        mask = sound(self, like)
        self.training = was
        return mask

    monkeypatch.setattr(dropout.Dropout, "mask", always)
    names = [f"{stage}-evaluation-mode", *OTHERS, *POSITIONS]
    found = doctor.outcomes(names, *BEFORE, "distill")
    assert verdicts(found) == {f"{stage}-evaluation-mode": "fail"} | dict.fromkeys([*OTHERS, *POSITIONS], "pass"), found
    assert found[f"{stage}-evaluation-mode"].cause.startswith("dropout at evaluation")


def test_dropout_that_has_no_rate_to_switch_off_is_named_and_checks_of_padding_are_skipped(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = SASRec.forward
    monkeypatch.setattr(SASRec, "forward", lambda self, *given: F.dropout(sound(self, *given), 0.2))
    found = doctor.outcomes(["student-evaluation-mode", *OTHERS], "data", "student")
    assert verdicts(found) == {"student-evaluation-mode": "fail"} | dict.fromkeys(OTHERS, "skip"), found
    assert "student-evaluation-mode" in found["causal-mask"].evidence


def test_a_training_mode_that_differs_by_more_than_dropout_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = SASRec.forward
    monkeypatch.setattr(SASRec, "forward", lambda self, *given: sound(self, *given) * (1.5 if self.training else 1.0))
    outcome = doctor.fault("student-evaluation-mode", "data", "student")
    assert "in training mode" in outcome.evidence and "more than dropout" in outcome.cause


def test_an_evaluation_with_dropout_while_training_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def in_training_mode(self: Any) -> Iterator[None]:
        with torch.no_grad():
            yield

    monkeypatch.setattr(TrainingCallback, "_averaged", in_training_mode)
    outcome = doctor.fault(
        "student-evaluation-mode", "data", config=with_student(doctor.settings, "student.dropout=0.5")
    )
    assert "was reported" in outcome.evidence and "dropout at evaluation" in outcome.cause


def test_a_noisy_gate_at_evaluation_is_named_and_not_called_a_mixture_of_the_batch(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = SoftmaxGate.forward

    def noisy(self: Any, users: Any, noise: Any = None) -> Any:
        return sound(self, users, torch.randn(len(users), 4)[:, : self.scores.out_features])

    monkeypatch.setattr(SoftmaxGate, "forward", noisy)
    kind = replace(doctor.settings.teacher.gate, kind="noisy")
    other = replace(doctor.settings, teacher=replace(doctor.settings.teacher, gate=kind))
    names = ["teacher-evaluation-mode", "gate-per-user"]
    found = doctor.outcomes(names, "data", "student", "backbone", config=other)
    assert verdicts(found) == {"teacher-evaluation-mode": "fail", "gate-per-user": "pass"}, found


def test_positions_that_are_counted_from_the_other_end_at_inference_are_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = model.of_histories

    def reversed_order(history: Any) -> Any:
        packed, real = sound(history)
        length = real.sum(dim=1).repeat_interleave(real.sum(dim=1))
        return replace(packed, order=length - 1 - packed.order), real

    monkeypatch.setattr(model, "of_histories", reversed_order)
    outcome = doctor.fault("student-positions", "data")
    assert "validation has other states" in outcome.evidence and "counted from another end" in outcome.cause


def test_positions_that_begin_at_one_at_inference_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = model.of_histories

    def later(history: Any) -> Any:
        packed, real = sound(history)
        return replace(packed, order=(packed.order + 1).clamp(max=49)), real

    monkeypatch.setattr(model, "of_histories", later)
    assert "evaluation has other states" in doctor.fault("distill-positions", *BEFORE).evidence


def test_long_histories_that_lose_their_latest_items_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def oldest(own: SequenceModel, items: Any, start: Any, stop: Any, device: str, tick: Any = None) -> Any:
        return own.user_vectors(stretches(items, start, (start + own.max_length).clip(max=stop)))

    monkeypatch.setattr("engine.doctor.modes.user_vectors", oldest)
    monkeypatch.setattr(validation, "user_vectors", oldest)
    short = with_student(doctor.settings, "student.max_length=4")
    evidence = doctor.fault("student-positions", "data", config=short).evidence
    assert evidence.startswith("validation has other states") and "evaluation" not in evidence


def test_states_that_the_teacher_reads_one_event_late_are_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = FrozenStudent.after_events
    monkeypatch.setattr(FrozenStudent, "after_events", lambda self, *given: sound(self, *given).roll(1, dims=0))
    assert "the teacher has other states" in doctor.fault("student-positions", "data").evidence


def test_inference_that_reads_other_item_vectors_than_training_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.distill.module.merged", lambda own, *given: own)
    doctor.fault("distill-positions", *BEFORE)
