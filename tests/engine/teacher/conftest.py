"""A teacher small enough for a test: a random Llama, a random student, a tokenizer of letters."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone.slots import Vocabulary
from engine.config import load
from engine.config.settings.teacher import TeacherSettings
from engine.data.sequences import Sequences
from engine.student.model import SequenceModel
from engine.teacher.build import TeacherSetup
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.head import RankHead
from engine.teacher.lora.gate import make_gate
from engine.teacher.lora.moe_lora import adapt, adapters
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Teacher
from engine.teacher.prompting.tokenizer import PromptTokenizer

ITEMS, WIDTH, LETTERS = 12, 8, 40
NAMES = [chr(ord("a") + k % 26) * (1 + k % 3) for k in range(ITEMS + 1)]


@dataclass(frozen=True)
class Tiny:
    """A small teacher with its student, tokenizer and data."""

    teacher: Teacher
    student: FrozenStudent
    tokenizer: PromptTokenizer
    data: Sequences

    def setup(self, template: str = "[HistoryHere]", settings: TeacherSettings | None = None) -> TeacherSetup:
        """The setup of one template, and the default settings unless others are given."""
        settings = settings or load([]).teacher
        return TeacherSetup(settings, self.teacher, self.student, self.tokenizer, [template], NAMES, "cpu")


def letters(texts: list[str]) -> list[list[int]]:
    return [[5 + ord(letter) % (LETTERS - 5) for letter in text] for text in texts]


@pytest.fixture(scope="session")
def tiny() -> Callable[[], Tiny]:
    """A new random teacher, the same each time; its experts, gate and head are not zero."""

    def make() -> Tiny:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=LETTERS,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
        )
        model, routing = LlamaForCausalLM(config).eval().requires_grad_(False), Routing()
        adapt(model.base_model, ["all"], 4, 2, 8.0, 0.0, routing)
        for _, layer in adapters(model):
            nn.init.normal_(layer.lora_b, std=0.1)
        head = RankHead(torch.randn(ITEMS + 1, 16), 16, 5, 0.0, True)
        nn.init.normal_(head.query.weight)
        nn.init.normal_(head.read.weight)
        words = [f"student.hidden={WIDTH}", "student.max_length=20", "student.blocks=1", "student.temperature=1.0"]
        student = FrozenStudent.of(SequenceModel(ITEMS, load(words).student).eval())
        vocabulary = Vocabulary(letters, lambda ids: "", " ", 1, 0, 2, 3, 4)
        draw = np.random.default_rng(0)
        return Tiny(
            Teacher(model, routing, make_gate("softmax", WIDTH, 2, 8, 1, "group"), Projector(WIDTH, 16), head).eval(),
            student,
            PromptTokenizer(NAMES, vocabulary, 200, 6),
            Sequences(draw.integers(1, ITEMS + 1, 26).astype(np.int32), np.asarray([0, 9, 11, 26]), np.arange(3)),
        )

    return make
