"""Validation rows choose the weights of student and language model."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.config import load
from engine.data.sequences import Rows
from engine.stages import VAL_LM_NDCG, VAL_NDCG
from engine.teacher.objectives.held_out import RankEvaluation
from engine.teacher.objectives.rank_collator import all_queries

TEMPLATE = "[HistoryHere],"


def held_out(made: Any, student_weights: Sequence[float] = (0.0, 0.5, 1.0)) -> RankEvaluation:
    """Nine histories of the small data, each with the event that follows."""
    settings = load([]).teacher
    assert settings.rank is not None
    settings.rank.student_weights = list(student_weights)
    stop = np.asarray([3, 4, 5, 6, 7, 8, 20, 22, 24])
    rows = Rows(made.data.items, np.where(stop < 9, 0, 11), stop, np.arange(len(stop)))
    return RankEvaluation(made.setup(TEMPLATE, settings), rows, lambda done, total: None)


def test_a_misleading_language_model_gets_weight_zero(tiny: Callable[[], Any]) -> None:
    used = []
    for seed in range(6):
        made = tiny()
        head = made.teacher.head
        head.freeze_text()
        torch.manual_seed(seed)
        nn.init.normal_(head.read.weight, std=10.0)
        rows = held_out(made, student_weights=(0.0, 0.1, 0.5))
        text = rows.controls(np.ones(len(made.student.table), dtype=np.int64))["student_and_text"]
        found = rows(lambda done, total: None)
        assert found[VAL_NDCG.name] >= text
        assert head.lm_weight.item() == found["lm_weight"] and np.isclose(
            head.student_weight.item(), found["student_weight"]
        )
        used.append(found["lm_weight"] > 0)
    assert not all(used)
    assert any(used)


def test_misleading_texts_get_weight_zero_too(tiny: Callable[[], Any]) -> None:
    chosen = []
    for seed in range(6):
        made = tiny()
        head = made.teacher.head
        torch.manual_seed(seed)
        nn.init.normal_(head.query.weight, std=10.0)
        head.freeze_text()
        rows = held_out(made)
        controls = rows.controls(np.ones(len(made.student.table), dtype=np.int64))
        assert controls["student_and_text"] >= controls["student"]
        assert rows(lambda done, total: None)[VAL_NDCG.name] >= controls["student"]
        chosen.append(head.student_weight.item())
    assert max(chosen) == 1


def test_text_that_is_still_trained_is_no_fallback_for_later(tiny: Callable[[], Any]) -> None:
    made = tiny()
    rows = held_out(made)
    rows.controls(np.ones(len(made.student.table), dtype=np.int64))
    assert rows(lambda done, total: None)["lm_weight"] > 0


def test_the_figure_of_the_language_model_alone_is_that_of_its_score_without_student_and_text(
    tiny: Callable[[], Any],
) -> None:
    made = tiny()
    head = made.teacher.head
    head.freeze_text()
    made.teacher.eval()
    torch.manual_seed(2)
    nn.init.normal_(head.read.weight)
    rows = held_out(made)
    found = rows(lambda done, total: None)
    queries, _ = all_queries(rows.setup, rows.spans, rows.states, rows.nonempty, 4, lambda done, total: None)
    scores = queries[:, -head.query.out_features :].double() @ head.answers(head.text).double().T
    events, values = made.data.items, []
    for score, start, stop in zip(scores.tolist(), rows.spans.start, rows.spans.stop, strict=True):
        history, target = {int(item) for item in events[start:stop]}, int(events[stop])
        ahead = sum(score[item] > score[target] for item in range(1, len(score)) if item not in history)
        values.append(1 / np.log2(ahead + 2) if ahead < 10 and target not in history else 0.0)  # seen items are hidden
    assert 0 < found[VAL_LM_NDCG.name] < 1
    assert found[VAL_LM_NDCG.name] == pytest.approx(np.mean(values))
    nn.init.normal_(head.query.weight, std=10.0)
    assert rows(lambda done, total: None)[VAL_LM_NDCG.name] == found[VAL_LM_NDCG.name]
