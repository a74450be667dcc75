"""Does the small recommender read what it should: every item, no padding, no future?"""

import numpy as np
import torch

from engine.data.ids import PADDING
from engine.doctor.case import Case
from engine.doctor.outcome import Outcome, judged
from engine.metrics import ranking
from engine.stages import STUDENT_MODEL
from engine.student.model import SequenceModel, load_student

SAME = 1e-4  # largest difference between two states that should be equal, as a share of their size


def padding_is_silent(case: Case) -> Outcome:
    """Padding changes nothing wherever it stands, and no item is taken for it: not the first, not the last."""
    model, wrong = _model(case), []
    around = _some(case, 2)
    for item in (1, case.items):
        whole = _vector(model, [around[0], item, around[1]])
        if _same(whole, _vector(model, around)):
            wrong.append(f"{case.named([item])} (id {item}) in a history changes nothing")
        if _same(_vector(model, [around[0], item]), _vector(model, around[:1])):
            wrong.append(f"{case.named([item])} (id {item}) as the latest item changes nothing")
        for padded in ([PADDING, PADDING, around[0], item, around[1]], [around[0], item, around[1], PADDING, PADDING]):
            if not _same(whole, _vector(model, padded)):
                wrong.append(f"padding {'before' if padded[0] == PADDING else 'behind'} a history changes the answer")
    with torch.no_grad():
        table, bias = model.item_table()
        scores = ranking.score_items(_vector(model, around)[None], table, bias)
    if scores[0, PADDING] != -torch.inf or not torch.isfinite(scores[0, PADDING + 1 :]).all():
        wrong.append(f"scores: padding {float(scores[0, PADDING]):.3g}, item 1 {float(scores[0, 1]):.3g}")
    if scores.shape[1] != case.items + 1:
        wrong.append(f"{scores.shape[1]} score columns for {case.items} items and the padding")
    return judged(
        not wrong,
        "; ".join(dict.fromkeys(wrong)) or f"items 1 and {case.items} count, padding on either side does not",
        "the padding id is another one than 0 somewhere, or padded places take part",
        "engine/data/ids.py says PADDING = 0: no other file may mask, offset or embed by another number.",
    )


def future_is_unseen(case: Case) -> Outcome:
    """The last item of a history cannot change the states before it."""
    model, items = _model(case), _some(case, 6)
    first, second = (torch.tensor([[*items[:4], last]]) for last in items[4:])
    with torch.no_grad():
        before, after = (model(history.to(_device(model)))[0, :4] for history in (first, second))
    gap = float((before - after).abs().max() / before.abs().max().clamp(min=1e-9))
    return judged(
        gap <= SAME,
        f"another last item changes earlier states by {gap:.1g} of their size",
        "the causal mask is missing, so training sees the item it has to guess",
        "Mask attention to later positions (convolutions: pad on the left only).",
    )


def _model(case: Case) -> SequenceModel:
    model: SequenceModel = case.once("student", lambda: load_student(case.artifact(STUDENT_MODEL), case.device))
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
    return float((a - b).abs().max()) <= SAME * float(a.abs().max().clamp(min=1e-9))
