"""Faults of prompts, slots, gates and experts, planted into the teacher's code."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.teacher import build
from engine.teacher.lora.moe_lora import adapters
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Teacher
from engine.teacher.objectives.rank_collator import RankCollator
from engine.teacher.prompting.tokenizer import EMPTY, HISTORY_PIECE, TITLES, PromptTokenizer
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone")
READING = ("prompt-titles", "prompt-slots", "gate-affects-output", "gate-per-user", "frozen-weights")


@pytest.mark.parametrize("finished", [BEFORE, (*BEFORE, "teacher")])
def test_a_sound_teacher_passes_before_and_after_its_training(doctor: Doctor, finished: tuple[str, ...]) -> None:
    found = doctor.outcomes(READING, *finished)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(READING, "pass"), found


def listed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    """``change`` (parts, owners) of every list of titles and slots that goes into a prompt."""
    sound = PromptTokenizer._listed
    monkeypatch.setattr(PromptTokenizer, "_listed", lambda self, *given: change(*sound(self, *given)))


def test_prompts_without_titles_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, lambda parts, owners: (np.where(parts >= TITLES, EMPTY, parts), owners))
    outcome = doctor.fault("prompt-titles", *BEFORE, "teacher")
    assert "titles are missing" in outcome.evidence and outcome.evidence.endswith("the prompt: ,,,,,")


def test_prompts_with_the_titles_of_other_items_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        build, "PromptTokenizer", lambda titles, *rest: PromptTokenizer([titles[0], *titles[2:], titles[1]], *rest)
    )
    doctor.fault("prompt-titles", *BEFORE, "teacher")


def test_a_slot_too_few_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_last(parts: Any, owners: Any) -> Any:
        parts = parts.copy()
        parts[0, np.flatnonzero(parts[0] == HISTORY_PIECE)[-1]] = EMPTY
        return parts, owners

    listed(monkeypatch, without_the_last)
    assert "slots for" in doctor.fault("prompt-slots", *BEFORE, "teacher").evidence


def test_a_vector_in_another_items_slot_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = RankCollator.__init__

    def shifted(self: Any, *given: Any) -> Any:
        sound(self, *given)
        self._table = self._table.roll(1, dims=0)

    monkeypatch.setattr(RankCollator, "__init__", shifted)
    assert "hold another item's vector" in doctor.fault("prompt-slots", *BEFORE, "teacher").evidence


def test_a_gate_that_is_computed_and_not_used_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Routing.weights

    def even(self: Any, shape: Any) -> Any:
        weights = sound(self, shape)
        return weights if weights is None else torch.full_like(weights, 1 / weights.shape[1])

    monkeypatch.setattr(Routing, "weights", even)
    assert "plain LoRA" in doctor.fault("gate-affects-output", *BEFORE, "teacher").cause


def test_one_gate_for_the_whole_batch_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Teacher.gates
    monkeypatch.setattr(
        Teacher, "gates", lambda self, users: sound(self, users).mean(dim=0, keepdim=True).expand(len(users), -1)
    )
    assert "get the same mixture" in doctor.fault("gate-per-user", *BEFORE, "teacher").evidence


def test_the_first_rows_gate_for_all_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Routing.weights

    def first(self: Any, shape: Any) -> Any:
        weights = sound(self, shape)
        return weights if weights is None else weights[:1].expand(len(weights), -1)

    monkeypatch.setattr(Routing, "weights", first)
    assert "with the other rows of the batch" in doctor.fault("gate-per-user", *BEFORE).evidence


def collapsed(monkeypatch: pytest.MonkeyPatch, kept: float = 1.0) -> None:
    """Every user gives the share ``kept`` of the weight to expert 1."""

    def gates(self: Any, users: Any) -> Any:
        weights = torch.full((len(users), 4), (1 - kept) / 3)
        weights[:, 1] = kept
        return weights

    monkeypatch.setattr(Teacher, "gates", gates)


def test_a_collapsed_gate_is_named_and_not_called_a_mixture_of_the_batch(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    collapsed(monkeypatch)
    outcome = doctor.fault("gate-collapse", *BEFORE, "teacher")
    assert outcome.evidence.startswith("expert 1 has 100.0% of the weight of 60 users") and "collapsed" in outcome.cause
    found = doctor.outcomes(("gate-per-user", "gate-affects-output"), *BEFORE, "teacher")
    assert [one.verdict for one in found.values()] == ["pass", "skip"]
    assert "gate-collapse" in found["gate-per-user"].evidence


def test_one_mixture_for_all_that_is_no_collapse_is_not_called_one(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    collapsed(monkeypatch, 0.9)
    found = doctor.outcomes(("gate-collapse", "gate-per-user"), *BEFORE, "teacher")
    assert {name: one.verdict for name, one in found.items()} == {"gate-collapse": "pass", "gate-per-user": "fail"}


def test_users_who_have_one_expert_each_are_no_collapse(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Teacher.gates

    def hard(self: Any, users: Any) -> Any:
        weights = sound(self, users)
        return torch.zeros_like(weights).scatter(1, users[:, :4].argmax(dim=1, keepdim=True), 1.0)

    monkeypatch.setattr(Teacher, "gates", hard)
    found = doctor.outcomes(("gate-collapse", "gate-per-user"), *BEFORE, "teacher")
    assert {one.verdict for one in found.values()} == {"pass"}, found


def test_a_teacher_without_a_gate_is_not_blamed_for_it(doctor: Doctor) -> None:
    plain = replace(
        doctor.settings,
        teacher=replace(doctor.settings.teacher, gate=replace(doctor.settings.teacher.gate, kind="uniform")),
    )
    found = doctor.outcomes(
        ("gate-per-user", "gate-affects-output", "gate-collapse"),
        *BEFORE,
        config=plain,
    )
    assert [outcome.verdict for outcome in found.values()] == ["pass", "skip", "skip"]


def test_a_frozen_weight_that_learns_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Teacher.groups

    def thawed(self: Any) -> dict[str, list[nn.Parameter]]:
        (_, layer), *_ = adapters(self.language_model)
        layer.base.weight.requires_grad_(True)
        groups = sound(self)
        return groups | {"head": [*groups["head"], self.language_model.get_input_embeddings().weight.requires_grad_()]}

    monkeypatch.setattr(Teacher, "groups", thawed)
    monkeypatch.setattr("engine.training.fit._check_groups", lambda module, groups: None)
    assert "embed_tokens" in doctor.fault("frozen-weights", *BEFORE).evidence
