"""Validation rows decide how much the language model counts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.config import load
from engine.data.sequences import Rows
from engine.stages import VAL_NDCG
from engine.teacher.build import Built
from engine.teacher.objectives.held_out import HeldOut
from engine.teacher.objectives.rank_collator import RankCollator

TEMPLATE = "[HistoryHere],"


def held_out(made: Any, student_weights: Sequence[float] = (0.0, 0.5, 1.0)) -> HeldOut:
    """Nine histories of the small data, each with the event that follows."""
    settings = load([]).teacher
    assert settings.rank is not None
    settings.rank.student_weights = list(student_weights)
    built = Built(made.teacher, made.student, made.book, [TEMPLATE], ["" for _ in made.student.table])
    stop = np.asarray([3, 4, 5, 6, 7, 8, 20, 22, 24])
    rows = Rows(made.data.items, np.where(stop < 9, 0, 11), stop, np.arange(len(stop)))
    return HeldOut(
        settings, settings.rank, built, RankCollator(made.book, made.student, True, "cpu"), rows, "cpu", lambda: None
    )


def test_a_language_model_that_misleads_is_not_heard(tiny: Callable[[], Any]) -> None:
    heard = []
    for seed in range(6):
        made = tiny()
        head = made.teacher.head
        head.settle()
        torch.manual_seed(seed)
        nn.init.normal_(head.read.weight, std=10.0)
        rows = held_out(made, student_weights=(0.0, 0.1, 0.5))
        text = rows.controls(np.ones(len(made.student.table), dtype=np.int64))["student_and_text"]
        found = rows(lambda: None)
        assert found[VAL_NDCG.name] >= text
        assert head.voice.item() == found["voice"] and np.isclose(head.trust.item(), found["trust"])
        heard.append(found["voice"] > 0)
    assert not all(heard)
    assert any(heard)


def test_texts_that_mislead_are_not_heard_either(tiny: Callable[[], Any]) -> None:
    chosen = []
    for seed in range(6):
        made = tiny()
        head = made.teacher.head
        torch.manual_seed(seed)
        nn.init.normal_(head.query.weight, std=10.0)
        head.settle()
        rows = held_out(made)
        controls = rows.controls(np.ones(len(made.student.table), dtype=np.int64))
        assert controls["student_and_text"] >= controls["student"]
        assert rows(lambda: None)[VAL_NDCG.name] >= controls["student"]
        chosen.append(head.trust.item())
    assert max(chosen) == 1


def test_text_that_is_still_trained_is_no_measure_for_later(tiny: Callable[[], Any]) -> None:
    made = tiny()
    rows = held_out(made)
    rows.controls(np.ones(len(made.student.table), dtype=np.int64))
    assert rows(lambda: None)["voice"] > 0
