"""Checks of the sequential recommender: it reads every item, no padding and no future."""

import numpy as np
import torch

from engine.data.ids import PADDING
from engine.doctor.case import Case
from engine.doctor.check import Outcome, Unavailable, check, judged, without
from engine.doctor.noise import SAME, difference, noise_of, silenced
from engine.metrics import ranking
from engine.stages import STUDENT_MODEL
from engine.student.model import SequenceModel, load_student


@check(
    "padding-is-ignored",
    "student",
    detects="an item that is treated as padding, padding that affects the output",
    cause="the padding id differs from 0 somewhere, or padded positions take part",
    remedy="engine/data/ids.py defines PADDING = 0: no other file may mask, offset or embed by another number.",
)
def padding_is_ignored(case: Case) -> Outcome:
    """Padding has no effect at any position; the first and the last item do."""
    model, faults = _model(case), []
    around = _some(case, 2)
    for item in (1, case.items):
        history = [around[0], item, around[1]][-model.max_length :]
        whole = _vector(model, history)
        if item in history and _same(whole, _vector(model, [other for other in history if other != item])):
            faults.append(f"{case.titled([item])} (id {item}) in a history changes nothing")
        if _same(_vector(model, [around[0], item][-model.max_length :]), _vector(model, around[:1])):
            faults.append(f"{case.titled([item])} (id {item}) as the latest item changes nothing")
        for padded in ([PADDING, PADDING, *history], [*history, PADDING, PADDING]):
            if not _same(whole, _vector(model, padded)):
                faults.append(f"padding {'before' if padded[0] == PADDING else 'after'} a history changes the output")
    with torch.no_grad():
        table, bias = model.item_table()
        scores = ranking.score_items(_vector(model, around[:1])[None], table, bias)
    if scores[0, PADDING] != -torch.inf or not torch.isfinite(scores[0, PADDING + 1 :]).all():
        faults.append(f"scores: padding {float(scores[0, PADDING]):.3g}, item 1 {float(scores[0, 1]):.3g}")
    if scores.shape[1] != case.items + 1:
        faults.append(f"{scores.shape[1]} score columns for {case.items} items and the padding")
    return without(faults, f"items 1 and {case.items} change the output, padding on either side does not")


@check(
    "causal-mask",
    "student",
    detects="a missing causal mask",
    cause="the causal mask is missing, so training sees the item it has to predict",
    remedy="Mask attention to later positions (convolutions: pad on the left only).",
)
def causal_mask(case: Case) -> Outcome:
    """The last item of a history does not change the states before it."""
    model, items = _model(case), _some(case, 6)
    if model.max_length < 2:
        raise Unavailable("this student reads the latest item alone")
    earlier = items[: min(4, model.max_length - 1)]
    first, second = (torch.tensor([[*earlier, last]]) for last in items[4:])
    with torch.no_grad():
        before, after = (model(history.to(_device(model)))[0, : len(earlier)] for history in (first, second))
    gap = difference(before, after)
    return judged(gap <= SAME, f"relative change of earlier states by another last item: {gap:.1g}")


def _model(case: Case) -> SequenceModel:
    """Without dropout, whose own check is ``student-evaluation-mode``."""

    def make() -> SequenceModel:
        model: SequenceModel = silenced(load_student(case.artifact(STUDENT_MODEL), case.device))
        history = torch.tensor([_some(case, 4)[: model.max_length]]).to(case.device)
        if noise_of(model, lambda: model.user_vectors(history)) > SAME:
            raise Unavailable("the student has dropout that cannot be switched off: see student-evaluation-mode")
        return model

    model: SequenceModel = case.once("student", make)
    return model


def _some(case: Case, count: int) -> list[int]:
    """Different items, neither the first nor the last one."""
    draw = np.random.default_rng(0)
    return [int(item) for item in draw.permutation(np.arange(2, case.items))[:count]]


@torch.no_grad()
def _vector(model: SequenceModel, history: list[int]) -> torch.Tensor:  # -> [D]
    return model.user_vectors(torch.tensor([history]).to(_device(model)))[0]


def _device(model: SequenceModel) -> torch.device:
    return next(model.parameters()).device


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return difference(a, b) <= SAME
