"""How good a rank teacher is on the validation rows, beside what it is built on: full ranking, seen items hidden.

Letters: R rows, D width of the student, K of the correction, n items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.backbone.pieces import Ints
from engine.config.settings.teacher import RankSettings, TeacherSettings
from engine.data.sequences import Rows
from engine.metrics import ranking
from engine.stages import VAL_NDCG
from engine.student.validation import Tick
from engine.teacher.build import Built
from engine.teacher.head import weights
from engine.teacher.lora.gate import balance
from engine.teacher.objectives.head_pretraining import seen_by
from engine.teacher.objectives.rank_collator import RankCollator, answer_all
from engine.teacher.prompting.spans import of_rows


@dataclass(frozen=True)
class Mixed:
    """What the held-out rows say about a weight of the student's score and one of the language model's correction."""

    metrics: dict[str, float]
    trust: float
    voice: float


def _quality(mixed: Mixed) -> float:
    return mixed.metrics[VAL_NDCG.name]


class HeldOut:
    """The validation rows, or ``settings.evaluate_rows`` of them, ready to be ranked again and again."""

    def __init__(
        self,
        settings: TeacherSettings,
        rules: RankSettings,
        built: Built,
        asking: RankCollator,
        rows: Rows,
        device: str,
        tick: Tick,
    ) -> None:
        if settings.evaluate_rows is not None and settings.evaluate_rows < len(rows):
            order = np.random.default_rng(settings.seed).permutation(len(rows))[: settings.evaluate_rows]
            rows = Rows(rows.items, rows.start[order], rows.stop[order], rows.users[order])
        assert built.teacher.head is not None
        self.settings, self.rules, self.built, self.asking, self.device = settings, rules, built, asking, device
        self.head, self.student = built.teacher.head, built.student
        self.questions = of_rows(rows, settings.history + 1)
        self.asked = np.flatnonzero(self.questions.count)  # an empty history has nothing to be asked after
        self.states = built.student.after_rows(rows, device, tick)  # [R, D]
        self._targets = torch.from_numpy(rows.targets.astype(np.int64)).to(device)
        self._without: list[Mixed] = []  # what text alone reaches, where it stays as it is
        self._seen = ranking.on_device(rows.items, rows.start, rows.stop, device)

    def __call__(self, tick: Tick) -> dict[str, float]:
        """val_recall@10 and val_ndcg@10 with the trust and the voice that serve these rows best, which are kept."""
        users, gates = answer_all(
            self.built.teacher,
            self.asking,
            self.built.templates[0],
            self.questions,
            self.states,
            self.asked,
            4 * self.settings.batch,
            tick,
        )
        first = self.states.shape[1]
        told, read = users[:, first : first + self.head.query.out_features], users[:, -self.head.query.out_features :]
        best = max([*self._without, *self._mixed(told, read if self.head.states else None)], key=_quality)
        self.head.trust.fill_(best.trust)
        self.head.voice.fill_(best.voice)
        return best.metrics | {"trust": best.trust, "voice": best.voice, "gate_entropy": balance(gates)[1]}

    @torch.no_grad()
    def controls(self, popularity: Ints) -> dict[str, float]:  # [n + 1]
        """NDCG@10 on the same rows: popularity, the student, the student with texts but no language model."""
        told = self.head.told(seen_by(self.questions, self.device))
        text = max(self._mixed(told, None), key=_quality)
        if 0.0 in self.rules.lm_weights and not self.head.query.weight.requires_grad:
            self._without = [text]
        ones = torch.ones(len(self.states), 1, device=self.device)
        liking = torch.from_numpy(popularity).float().to(self.device)[:, None]
        states, student = self.states.to(self.device), self.student
        alone = {
            "popularity": ranking.ranks_in_blocks(ones, liking, self._targets, None, self._seen),
            "student": ranking.ranks_in_blocks(states, student.table, self._targets, student.bias, self._seen),
        }
        found = {name: ranking.validation_metrics(ranks) for name, ranks in alone.items()} | {
            "student_and_text": text.metrics
        }
        return {name: values[VAL_NDCG.name] for name, values in found.items()}

    @torch.no_grad()
    def _mixed(self, told: Tensor, read: Tensor | None) -> list[Mixed]:
        """Every trust, and with R h [R', K'] every voice, beside W m [R', K'] of the rows that were asked."""
        lm_weights = [0.0] if read is None else [voice for voice in self.rules.lm_weights if voice]
        choices = [(trust, voice) for voice in lm_weights for trust in self.rules.student_weights]
        if not choices:
            return []
        parts = [(self.states.to(self.device), self.student.table), self._part(told, self.head.keys)]
        if read is not None:
            parts.append(self._part(read, self.head.answers))
        student_weights, chosen = torch.tensor(choices, device=self.device).unbind(dim=1)
        shares = weights(student_weights, chosen)[:, : len(parts)]
        ranks = ranking.mixed_ranks(parts, shares, self._targets, self.student.bias, self._seen)
        return [Mixed(ranking.validation_metrics(row), *choice) for row, choice in zip(ranks, choices, strict=True)]

    def _part(self, correction: Tensor, keys: nn.Linear) -> tuple[Tensor, Tensor]:  # -> [R, K'], [n + 1, K']
        """A correction of every row, zero where nothing was asked, and what it is multiplied with."""
        whole = torch.zeros(len(self.states), correction.shape[1], device=self.device)
        whole[torch.from_numpy(self.asked).to(self.device)] = correction.to(self.device)
        return whole, keys(self.head.text)
