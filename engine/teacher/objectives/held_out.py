"""Quality of a rank teacher on the validation rows beside its controls: full ranking, seen items hidden or not.

Letters: R rows, R' rows with a history, D width of the student, K' of a correction, n items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.backbone.pieces import Ints
from engine.data.sequences import Rows
from engine.metrics import ranking
from engine.metrics.selection import by_half
from engine.stages import VAL_LM_NDCG, VAL_NDCG
from engine.student.validation import Tick
from engine.teacher.build import TeacherSetup
from engine.teacher.head import part_weights
from engine.teacher.lora.gate import balance
from engine.teacher.objectives.rank_collator import all_queries, visible_history
from engine.teacher.prompting.spans import heldout_spans


@dataclass(frozen=True)
class Mixture:
    """Metrics of the held-out rows with one weight of the student's score and one of the language model's."""

    metrics: dict[str, float]
    student_weight: float
    lm_weight: float


def _ndcg(mixture: Mixture) -> float:
    return mixture.metrics[VAL_NDCG.name]


class RankEvaluation:
    """Ranks the validation rows, or ``settings.evaluate_rows`` of them, and chooses the head's mixture on them."""

    def __init__(self, setup: TeacherSetup, rows: Rows, tick: Tick, hide_seen: bool = True) -> None:
        settings, device = setup.settings, setup.device
        if settings.evaluate_rows is not None and settings.evaluate_rows < len(rows):
            rows = rows.some(np.random.default_rng(settings.seed).permutation(len(rows))[: settings.evaluate_rows])
        assert setup.teacher.head is not None and settings.rank is not None
        self.setup, self.rules, self.device = setup, settings.rank, device
        self.head, self.student = setup.teacher.head, setup.student
        self.spans = heldout_spans(rows, settings.history + 1)
        self.nonempty = np.flatnonzero(self.spans.count)  # rows with a history
        self.states = setup.student.after_rows(rows, device, tick)  # [R, D]
        self._users = rows.users
        self._targets = torch.from_numpy(rows.targets.astype(np.int64)).to(device)
        self._text_alone: list[Mixture] = []  # the best mixture without the language model, where it stays fixed
        self._seen = ranking.on_device(rows.items, rows.start, rows.stop, device) if hide_seen else None

    def __call__(self, tick: Tick) -> dict[str, float]:
        """val_recall@10 and val_ndcg@10 with the best student_weight and lm_weight, which the head keeps.

        With states also val_lm_ndcg@10, of the language model's score alone.
        """
        batch = 4 * self.setup.settings.batch
        queries, gates = all_queries(self.setup, self.spans, self.states, self.nonempty, batch, tick, self.setup.tokens)
        first, width = self.states.shape[1], self.head.query.out_features
        text, states = queries[:, first : first + width], queries[:, -width:] if self.head.states else None
        best = max([*self._text_alone, *self._mixtures(text, states)], key=_ndcg)
        alone = {} if states is None else {VAL_LM_NDCG.name: self._ndcg_of(*self._part(states, self.head.answers))}
        self.head.student_weight.fill_(best.student_weight)
        self.head.lm_weight.fill_(best.lm_weight)
        chosen = {"student_weight": best.student_weight, "lm_weight": best.lm_weight}
        return best.metrics | chosen | alone | {"gate_entropy": balance(gates)[1]}

    @torch.no_grad()
    def controls(self, counts: Ints) -> dict[str, float]:  # [n + 1] times each item occurs in training
        """NDCG@10 on the same rows: popularity, the student, the student with text vectors but no language model."""
        text = max(self._mixtures(self.head.text_queries(visible_history(self.spans, self.device)), None), key=_ndcg)
        if 0.0 in self.rules.lm_weights and not self.head.query.weight.requires_grad:
            self._text_alone = [text]
        ones = torch.ones(len(self.states), 1, device=self.device)
        popularity = torch.from_numpy(counts).float().to(self.device)[:, None]
        return {
            "popularity": self._ndcg_of(ones, popularity),
            "student": self._ndcg_of(self.states.to(self.device), self.student.table, self.student.bias),
            "student_and_text": _ndcg(text),
        }

    def _ndcg_of(self, users: Tensor, table: Tensor, bias: Tensor | None = None) -> float:
        """NDCG@10 of <u, v> + b, users [R, W] and table [n + 1, W], bias [n + 1]."""
        ranks = ranking.ranks_in_blocks(users, table, self._targets, bias, self._seen)
        return ranking.validation_metrics(ranks)[VAL_NDCG.name]

    @torch.no_grad()
    def _mixtures(self, text: Tensor, states: Tensor | None) -> list[Mixture]:
        """Every student_weight, and with R h [R', K'] every lm_weight, beside W m [R', K'] of the rows."""
        lm_weights = [0.0] if states is None else [weight for weight in self.rules.lm_weights if weight]
        choices = [(student, lm) for lm in lm_weights for student in self.rules.student_weights]
        if not choices:
            return []
        parts = [(self.states.to(self.device), self.student.table), self._part(text, self.head.keys)]
        if states is not None:
            parts.append(self._part(states, self.head.answers))
        weights = part_weights(*torch.tensor(choices, device=self.device).unbind(dim=1))[:, : len(parts)]
        columns = len(self.student.table)
        ranks = ranking.mixed_ranks(
            ranking.products(parts), weights, columns, self._targets, self.student.bias, self._seen
        )
        return [
            Mixture(
                ranking.validation_metrics(row) | by_half(ranking.ndcg(row, 10).cpu().numpy(), self._users), *choice
            )
            for row, choice in zip(ranks, choices, strict=True)
        ]

    def _part(self, queries: Tensor, keys: nn.Linear) -> tuple[Tensor, Tensor]:  # -> [R, K'], [n + 1, K']
        """The queries of all rows, zero for an empty history, and the item vectors that they are multiplied with."""
        whole = torch.zeros(len(self.states), queries.shape[1], device=self.device)
        whole[torch.from_numpy(self.nonempty).to(self.device)] = queries.to(self.device)
        return whole, keys(self.head.text)
