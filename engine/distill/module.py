"""The distilled student as a Lightning module: one step is one batch, the terms of its loss and their shares.

Letters: P positions, R distilled positions, K items of a teacher's ranking, D width, n items.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.distill import DistillSettings
from engine.data.ids import PADDING
from engine.distill import losses, teacher_targets
from engine.distill.injection import Injection, merged, tables
from engine.distill.teacher_targets import NO_TARGET, TeacherTargets
from engine.distill.weights import importance
from engine.student.batches import Batch, BatchSampler
from engine.student.cross_entropy import cross_entropy
from engine.student.model import SequenceModel
from engine.student.module import base_loss, seed_negatives
from engine.training.optimizer import adamw

Terms = dict[str, tuple[float, Tensor]]  # name -> (weight, value) of each term of the loss


@dataclass(frozen=True)
class Scored:
    """A batch with the student's states and item table."""

    batch: Batch
    states: Tensor  # [P, D]
    table: Tensor  # [n + 1, D]
    bias: Tensor | None  # [n + 1]

    def scores(self, positions: Tensor) -> Tensor:  # [R] -> [R, n + 1]
        """Scores of all items after some positions, the padding's minus infinity."""
        states = self.states[positions]
        raw = states @ self.table.T if self.bias is None else torch.addmm(self.bias, states, self.table.T)
        return losses.item_scores(raw.float(), -torch.inf)

    def few(self, positions: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:  # [R], [R, M] item ids
        """Scores [R, 1 + M] of the padding and of some items, and their columns [R, M] in it."""
        found = torch.einsum("rd,rmd->rm", self.states[positions].to(self.table.dtype), F.embedding(items, self.table))
        found = found if self.bias is None else found + self.bias[items]
        columns = torch.arange(1, items.shape[1] + 1, device=items.device).expand_as(items)
        return F.pad(found.float(), (1, 0), value=-torch.inf), torch.where(items == PADDING, PADDING, columns)

    def widened(self, positions: Tensor) -> tuple[Tensor, Tensor]:  # [R] -> [R, D'], [n + 1, D']
        """States and table whose product is the scores: a bias becomes a coordinate that is 1 in every state."""
        states = self.states[positions]
        if self.bias is None:
            return states, self.table
        return torch.cat([states, states.new_ones(len(states), 1)], dim=1), torch.cat(
            [self.table, self.bias[:, None]], dim=1
        )

    @torch.no_grad()
    def scores_of(self, items: Tensor) -> Tensor:  # [P, K] item ids -> [P, K]
        """Scores of a few items after every position."""
        scores = torch.einsum("pd,pkd->pk", self.states, F.embedding(items, self.table).to(self.states.dtype)).float()
        return scores if self.bias is None else scores + self.bias[items]


class DistillModule(pl.LightningModule):
    """The student's own loss and the teacher's terms; all random draws follow from the step's number."""

    def __init__(
        self,
        model: SequenceModel,
        settings: DistillSettings,
        sampler: BatchSampler,
        targets: TeacherTargets,
        vectors: Tensor,
        ps: Tensor,
        report_every: int,
        last_position: TeacherTargets | None = None,
    ) -> None:
        """vectors [n + 1, H]: the teacher's items; ps [n + 1]: propensities; ``last_position`` if sampled."""
        super().__init__()
        self.model, self.settings, self.sampler = model, settings, sampler
        self.targets, self.last_position = targets, last_position
        self.report_every = report_every
        width = model.settings.hidden
        self.injection = Injection(vectors, width, settings.injection) if settings.injection.weight else None
        self.hint = nn.Linear(model.item_table()[0].shape[1], vectors.shape[1]) if settings.hint else None
        self.vectors: Tensor
        self.ps: Tensor
        self.register_buffer("vectors", vectors.float(), persistent=False)
        self.register_buffer("ps", ps, persistent=False)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the stage table's groups."""
        added = [part for part in (self.injection, self.hint) if part is not None]
        return self.model.groups() | {"projector": [parameter for part in added for parameter in part.parameters()]}

    def merged(self) -> SequenceModel:
        """The student as it is served: without teacher and projector."""
        return merged(self.model, self.injection, self.settings.injection.tables)

    def training_step(self, step: int, index: int) -> dict[str, Tensor]:
        self.model.stream.start(self.settings.student.seed, step, self.sampler.rank)
        batch = self.sampler(step)
        read, table, bias = tables(self.model, self.injection, self.settings.injection.tables)
        scored = Scored(batch, self.model.encode(batch.items, batch.packed, read), table, bias)
        reported = (step + 1) % self.report_every == 0 or step == 0
        values, extra = self.terms(scored, step, reported)
        weighted = {name: weight * value for name, (weight, value) in values.items()}
        nothing = scored.states.sum() * 0.0  # as released, a batch without targets has no term at all
        out = {"loss": sum(weighted.values(), nothing)} | extra
        if reported:
            out |= {name: value.detach() for name, (_, value) in values.items() if name not in extra}
            out |= {f"{name}_weight": torch.tensor(weight) for name, (weight, _) in values.items()}
            out |= {f"{name}_share": share for name, share in shares(weighted, scored).items()}
        return out

    def terms(
        self, scored: Scored, step: int, reported: bool
    ) -> tuple[dict[str, tuple[float, Tensor]], dict[str, Tensor]]:
        """Every term of the loss, and values to report in place of some of them."""
        settings, batch = self.settings, scored.batch
        rows = self.targets.rows(batch)
        positions = self.selected(scored, rows).nonzero()[:, 0]
        scale = self.sampler.world / batch.positions
        shown: dict[str, Tensor] = {}
        values: Terms = {}
        if not settings.as_released:
            values["base"] = (1.0, self.base(scored, step) * scale)
        if settings.ranking.weight or settings.dro.alpha or settings.as_released:
            values |= self.dllm2rec(scored, rows, positions, step)
        if settings.kl.weight:
            ranked, teacher = self.targets.soft(rows[positions], settings.kl.top, settings.kl.temperature)
            values["kl"] = (settings.kl.weight, self.kl(scored, positions, ranked, teacher) * scale)
            if reported:
                some = slice(0, self.settings.ranking.rows or len(positions))
                with torch.no_grad():
                    scores = scored.scores(positions[some])
                    shown["kl"] = losses.kl_divergence(scores, ranked[some], teacher[some]).mean()
        if self.last_position is not None:
            value = self.after_last_position(self.last_position, scored) * scale
            values["last_position"] = (settings.last_position, value)
        if self.hint is not None:
            ranked, teacher = self.targets.soft(rows[positions], settings.kl.top, settings.kl.temperature)
            wanted = F.embedding_bag(ranked, self.vectors, per_sample_weights=teacher, mode="sum")
            values["hint"] = (settings.hint, losses.hint(self.hint(scored.states[positions]), wanted))
        return values, shown

    def base(self, scored: Scored, step: int) -> Tensor:
        """Sum of the student's own loss over the positions that have a target."""
        states, batch = scored.states, scored.batch
        if self.last_position is not None:  # the softmax over all items is expensive: skip positions of weight 0
            known = (batch.targets != PADDING).nonzero()[:, 0]
            states, batch = states[known], replace(batch, targets=batch.targets[known], weights=None)
        return base_loss(self.settings.student, states, scored.table, scored.bias, batch, step)

    def after_last_position(self, targets: TeacherTargets, scored: Scored) -> Tensor:
        """Sum over last positions of -sum_k q_k log p_k: cross-entropy against the teacher's distribution."""
        rows = targets.after(scored.batch)
        positions = (rows != NO_TARGET).nonzero()[:, 0]
        ranked, teacher = targets.soft(rows[positions], self.settings.kl.top, self.settings.kl.temperature)
        states, table = scored.widened(positions)
        own = cross_entropy(states, table, ranked[:, 0])
        return own + losses.soft_target(states, table, ranked[:, 0], ranked, teacher)

    @torch.no_grad()
    def selected(self, scored: Scored, rows: Tensor) -> Tensor:  # [P] -> [P] bool
        """The positions that are distilled."""
        settings, answered = self.settings, rows != NO_TARGET
        if settings.select in ("all", "asked"):
            return answered
        ranked, teacher = self.targets.soft(rows, settings.kl.top, settings.kl.temperature)
        scores = scored.scores_of(ranked)
        if settings.select == "kl-divergence":
            return teacher_targets.top_fraction(teacher_targets.divergence(scores, teacher), answered, settings.share)
        own = scored.scores_of(scored.batch.targets[:, None])[:, 0]
        return teacher_targets.top_fraction(teacher_targets.true_error(scores, own), answered, settings.share)

    def dllm2rec(self, scored: Scored, rows: Tensor, positions: Tensor, step: int) -> Terms:
        """DLLM2Rec's terms over some of the positions, drawn anew each step; no term where there is no position."""
        settings, own = self.settings, self.settings.ranking
        key = int(np.random.SeedSequence((settings.seed, step, self.sampler.rank)).generate_state(1)[0])
        generator = torch.Generator(rows.device).manual_seed(key)
        if own.rows is not None and len(positions) > own.rows:
            drawn = torch.randperm(len(positions), generator=generator, device=rows.device)[: own.rows]
            positions = positions[drawn]
        if len(positions) == 0:
            return {}
        targets, history = scored.batch.targets[positions], teacher_targets.known(scored.batch, positions)
        negative = teacher_targets.negatives(history, targets, self.model.items, generator)
        # Only the robust loss needs gradients of the scores of all items; consistency needs their values.
        robust = settings.dro.alpha > 0
        with torch.set_grad_enabled(robust):
            scores = scored.scores(positions) if robust or own.consistency else None
        ranked, distances = self.targets.ranked(rows[positions], own.top)
        columns = torch.cat([targets[:, None], negative[:, None], ranked], dim=1)
        few, at = (scores, columns) if robust and scores is not None else scored.few(positions, columns)
        values: Terms = {}
        if settings.as_released:
            values["base"] = (1.0, losses.base_bce(few, at[:, 0], at[:, 1]))
        if robust:
            values["dro"] = (settings.dro.alpha, losses.dro(few, at[:, :1], self.ps, settings.dro.beta).mean())
        if own.weight:
            # Items that are the target, the negative or already seen are left to the base loss.
            avoid = torch.cat([history, columns[:, :2]], dim=1)
            valid = None if settings.as_released else ~teacher_targets.among(ranked, avoid) & distances.isfinite()
            gammas = (own.position, own.confidence, own.consistency)
            value = losses.ranking_distillation(
                few,
                at[:, 2:],
                importance(scores, ranked, distances, gammas, valid),
                at[:, 1],
                alpha=settings.dro.alpha,
                ps=self.ps,
                beta=settings.dro.beta,
                as_released=settings.as_released,
            )
            values["ranking"] = (own.weight, value)
        return values

    def kl(self, scored: Scored, positions: Tensor, ranked: Tensor, teacher: Tensor) -> Tensor:
        """Sum over the distilled positions of ``losses.soft_target``, which makes cross-entropy's targets soft.

        Beside another base loss it is the whole cross-entropy against the teacher's distribution.
        """
        (states, table), targets = scored.widened(positions), scored.batch.targets[positions]
        value = losses.soft_target(states, table, targets, ranked, teacher)
        if self.settings.student.loss != "cross-entropy":
            value = value + cross_entropy(states, table, targets)
        return value

    def configure_optimizers(self) -> Any:
        settings = self.settings.student
        return adamw(self.parameters(), settings.learning_rate, settings.weight_decay, settings.beta2)


def shares(terms: dict[str, Tensor], scored: Scored) -> dict[str, Tensor]:
    """|g_t| / sum_t' |g_t'|, g_t the gradient of a weighted term with respect to states and scoring table."""
    reached = (scored.states, scored.table)
    norms = []
    if not terms:
        return {}
    for value in terms.values():
        found = torch.autograd.grad(value, reached, retain_graph=True, allow_unused=True)
        squares = [part.float().square().sum() for part in found if part is not None]
        norms.append(torch.stack(squares).sum().sqrt())
    whole = torch.stack(norms).sum().clamp(min=torch.finfo(torch.float32).tiny)
    return {name: norm / whole for name, norm in zip(terms, norms, strict=True)}
