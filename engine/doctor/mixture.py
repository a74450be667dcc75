"""The teacher judged on validation rows that did not choose its mixture of student, text and language model.

Letters: M mixtures, R validation rows, n items.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from safetensors.torch import load_file

from engine.doctor import subset
from engine.doctor.case import Case
from engine.metrics import ranking
from engine.metrics.selection import Floats, Users
from engine.stages import ADAPTER, ITEMS, STUDENT_MODEL, TEACHER, TEACHER_HELD_OUT, TEXT_VECTORS
from engine.student.cold_items import ColdItems
from engine.student.model import load_student
from engine.teacher.build import settings_of
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.head import part_weights
from engine.teacher.model import RENAMED


@dataclass(frozen=True)
class Mixtures:
    """Validation rows ranked by every mixture of a teacher."""

    ndcg: Floats  # [M, R] at 10
    users: Users  # [R]
    lm_weights: Floats  # [M] of the language model's states


@torch.no_grad()
def mixtures(case: Case, count: int) -> Mixtures | None:
    """The first ``count`` validation rows under every mixture of the teacher's settings.

    Formed again from the queries that ``knowledge`` stored; a part to which the teacher gave no weight is not stored
    and has none in any mixture. None for a teacher that mixes nothing, and where knowledge is that of several models.
    """
    if case.config.knowledge.models != [TEACHER]:
        return None
    adapter, device = case.input_of("knowledge", ADAPTER), case.device
    rules = settings_of(adapter).rank
    if rules is None:
        return None
    weights = {RENAMED.get(key, key): value for key, value in load_file(adapter).items()}
    kept = part_weights(weights["head.student_weight"].float(), weights["head.lm_weight"].float())[1:].tolist()
    rows = subset.rows(case.rows["validation"], count)
    text = load_file(case.input_of("knowledge", TEXT_VECTORS))["vectors"].to(device)
    student = FrozenStudent.of(
        load_student(case.artifact(STUDENT_MODEL), device), ColdItems.of_items(case.artifact(ITEMS), text)
    )
    held = {key: value.to(device) for key, value in load_file(case.artifact(TEACHER_HELD_OUT)).items()}
    parts = [(student.after_rows(rows, device, lambda done, total: None).to(device), student.table)]
    first = student.table.shape[1]
    width = (held["table"].shape[1] - first) // (1 + rules.states)
    for weight in kept[: 1 + rules.states]:
        columns = slice(first, first + width)
        if weight:
            parts.append((held["validation"][: len(rows), columns], held["table"][:, columns] / weight))
        first += width
    lm_weights = rules.lm_weights if len(parts) > 2 else [0.0]
    choices = list(product(rules.student_weights if kept[0] else [1.0], lm_weights))
    shares = part_weights(*torch.tensor(choices, device=device).unbind(dim=1))[:, : len(parts)]
    hide = case.hides_seen(case.config.evaluate.hide_seen)
    seen = ranking.on_device(rows.items, rows.start, rows.stop, device) if hide else None
    targets = torch.from_numpy(rows.targets.astype(np.int64)).to(device)
    made = ranking.products(parts)
    ranks = ranking.mixed_ranks(made, shares, len(student.table), targets, student.bias, seen)
    return Mixtures(ranking.ndcg(ranks, 10).cpu().numpy(), rows.users, np.array([lm for _, lm in choices]))
