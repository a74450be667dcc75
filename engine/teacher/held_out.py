"""How good a rank teacher is on the validation rows, beside what it is built on: full ranking, seen items hidden.

Letters: R rows, D width of the student, K of the correction, n items.
"""

import numpy as np
import torch
from torch import Tensor

from engine import ranking
from engine.backbone.pieces import Ints
from engine.data.sequences import Rows
from engine.settings.teacher import Rank
from engine.settings.teacher import Teacher as Settings
from engine.stages import VAL_NDCG, VAL_RECALL
from engine.student.validation import Tick
from engine.teacher.asking import Asking, answer_all
from engine.teacher.build import Built
from engine.teacher.gate import balance
from engine.teacher.questions import of_rows
from engine.teacher.warm import corrections, seen_by


class HeldOut:
    """The validation rows, or ``settings.evaluate_rows`` of them, ready to be ranked again and again."""

    def __init__(
        self, settings: Settings, rules: Rank, built: Built, asking: Asking, rows: Rows, device: str, tick: Tick
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
        self._seen = tuple(
            torch.from_numpy(part.astype(np.int64)).to(device) for part in (rows.items, rows.start, rows.stop)
        )

    def __call__(self, tick: Tick) -> dict[str, float]:
        """val_recall@10 and val_ndcg@10 with the trust in the student that serves these rows best, which is kept."""
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
        values, trust = self._best(users[:, self.states.shape[1] :])
        self.head.trust.fill_(trust)
        return values | {"trust": trust, "gate_entropy": balance(gates)[1]}

    @torch.no_grad()
    def controls(self, popularity: Ints) -> dict[str, float]:  # [n + 1]
        """NDCG@10 on the same rows: popularity, the student, the student with texts but no language model."""
        table = torch.from_numpy(popularity).float().to(self.device)[:, None]
        ones = torch.ones(len(self.states), 1, device=self.device)
        hidden = self.built.teacher.language_model.config.hidden_size
        text = corrections(self.head, seen_by(self.questions, self.device), hidden)
        found = {
            "popularity": self._metrics(ones, table, None),
            "student": self._metrics(self.states.to(self.device), self.student.table, self.student.bias),
            "student_and_text": self._best(text.cpu())[0],
        }
        return {name: values[VAL_NDCG.name] for name, values in found.items()}

    @torch.no_grad()
    def _best(self, corrections: Tensor) -> tuple[dict[str, float], float]:  # of the rows that were asked [R', K]
        """The metrics with the best of the trusts, and which one it is."""
        whole = torch.zeros(len(self.states), corrections.shape[1])
        whole[torch.from_numpy(self.asked)] = corrections.cpu()
        table = self.head.table(self.student.table)
        tried = []
        for trust in self.rules.trusts:
            users = torch.cat([self.states * trust, whole], dim=1).to(self.device)
            tried.append((self._metrics(users, table, self.student.bias), trust))
        return max(tried, key=lambda pair: pair[0][VAL_NDCG.name])

    def _metrics(self, users: Tensor, table: Tensor, bias: Tensor | None) -> dict[str, float]:
        items, start, stop = self._seen
        ranks = ranking.ranks_in_blocks(users, table, self._targets, bias, (items, start, stop))
        return {
            VAL_RECALL.name: float(ranking.hit_rate(ranks, 10).mean()),
            VAL_NDCG.name: float(ranking.ndcg(ranks, 10).mean()),
        }
