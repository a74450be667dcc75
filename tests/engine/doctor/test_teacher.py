"""Faults of prompts, slots, gates and experts, planted into the teacher's code."""

from dataclasses import replace

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

BEFORE = ("data", "student", "backbone")
READING = ("prompts-hold-titles", "prompts-hold-slots", "gate-acts", "gate-is-per-user", "frozen-stays")


@pytest.mark.parametrize("finished", [BEFORE, (*BEFORE, "teacher")])
def test_a_sound_teacher_passes_before_and_after_its_training(case, look, finished):
    found = look(case(*finished), *READING)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(READING, "pass"), found


def listed(monkeypatch, change):
    """``change`` (parts, owners) of every list of titles and slots that goes into a prompt."""
    sound = PromptTokenizer._listed
    monkeypatch.setattr(PromptTokenizer, "_listed", lambda self, *given: change(*sound(self, *given)))


def test_prompts_without_titles_are_named(case, named, monkeypatch):
    listed(monkeypatch, lambda parts, owners: (np.where(parts >= TITLES, EMPTY, parts), owners))
    outcome = named(case(*BEFORE, "teacher"), "prompts-hold-titles")
    assert "titles are missing" in outcome.evidence and outcome.evidence.endswith("the prompt: ,,,,,")


def test_prompts_with_the_titles_of_other_items_are_named(case, named, monkeypatch):
    monkeypatch.setattr(
        build, "PromptTokenizer", lambda titles, *rest: PromptTokenizer([titles[0], *titles[2:], titles[1]], *rest)
    )
    named(case(*BEFORE, "teacher"), "prompts-hold-titles")


def test_a_slot_too_few_is_named(case, named, monkeypatch):
    def without_the_last(parts, owners):
        parts = parts.copy()
        parts[0, np.flatnonzero(parts[0] == HISTORY_PIECE)[-1]] = EMPTY
        return parts, owners

    listed(monkeypatch, without_the_last)
    assert "slots for" in named(case(*BEFORE, "teacher"), "prompts-hold-slots").evidence


def test_a_vector_in_another_items_slot_is_named(case, named, monkeypatch):
    sound = RankCollator.__init__

    def shifted(self, *given):
        sound(self, *given)
        self._table = self._table.roll(1, dims=0)

    monkeypatch.setattr(RankCollator, "__init__", shifted)
    assert "hold another item's vector" in named(case(*BEFORE, "teacher"), "prompts-hold-slots").evidence


def test_a_gate_that_is_computed_and_not_used_is_named(case, named, monkeypatch):
    sound = Routing.weights

    def even(self, sequences):
        weights = sound(self, sequences)
        return weights if weights is None else torch.full_like(weights, 1 / weights.shape[1])

    monkeypatch.setattr(Routing, "weights", even)
    assert "plain LoRA" in named(case(*BEFORE, "teacher"), "gate-acts").cause


def test_one_gate_for_the_whole_batch_is_named(case, named, monkeypatch):
    sound = Teacher.gates
    monkeypatch.setattr(
        Teacher, "gates", lambda self, users: sound(self, users).mean(dim=0, keepdim=True).expand(len(users), -1)
    )
    assert "get the same mixture" in named(case(*BEFORE, "teacher"), "gate-is-per-user").evidence


def test_the_first_rows_gate_for_all_is_named(case, named, monkeypatch):
    sound = Routing.weights

    def first(self, sequences):
        weights = sound(self, sequences)
        return weights if weights is None else weights[:1].expand(len(weights), -1)

    monkeypatch.setattr(Routing, "weights", first)
    assert "with the batch around it" in named(case(*BEFORE), "gate-is-per-user").evidence


def test_a_teacher_without_a_gate_is_not_blamed_for_it(case, look, settings):
    plain = replace(settings, teacher=replace(settings.teacher, gate=replace(settings.teacher.gate, kind="uniform")))
    found = look(case(*BEFORE, config=plain), "gate-is-per-user", "gate-acts")
    assert [outcome.verdict for outcome in found.values()] == ["pass", "skip"]


def test_a_frozen_weight_that_learns_is_named(case, named, monkeypatch):
    sound = Teacher.groups

    def thawed(self) -> dict[str, list[nn.Parameter]]:
        (_, layer), *_ = adapters(self.language_model)
        layer.base.weight.requires_grad_(True)
        groups = sound(self)
        return groups | {"head": [*groups["head"], self.language_model.get_input_embeddings().weight.requires_grad_()]}

    monkeypatch.setattr(Teacher, "groups", thawed)
    monkeypatch.setattr("engine.training.fit._check_groups", lambda module, groups: None)
    assert "embed_tokens" in named(case(*BEFORE), "frozen-stays").evidence
