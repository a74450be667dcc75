"""The distilled student as a Lightning module: one step is one batch, the terms of its loss and their shares.

Letters: P positions, R distilled positions, K items of a teacher's ranking, D width, n items.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.distill import DistillSettings
from engine.data.ids import PADDING
from engine.distill import chosen, losses, teacher_targets
from engine.distill.chosen import Choice, Chosen, SharedChoice
from engine.distill.injection import Injection, merged, tables, without_own_vectors
from engine.distill.shares import shares
from engine.distill.teacher_targets import NO_TARGET, TeacherTargets
from engine.distill.trained_items import TrainedItems
from engine.distill.weights import importance
from engine.student import module as student_module
from engine.student.batches import Batch, BatchSampler
from engine.student.cold_items import ColdItems
from engine.student.cross_entropy import cross_entropy
from engine.student.model import SequenceModel
from engine.student.module import HistoryStep, base_loss, seed_negatives
from engine.training.optimizer import adamw
from engine.training.plan import is_reported
from engine.training.processes import Processes

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


class DistillModule(HistoryStep):
    """The student's own loss and the teacher's terms; all random draws follow from the step's number.

    In batches of the same shapes terms, too, are computed at as many positions in each: those without a target of the
    teacher weigh nothing. In others they are left out.
    """

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
        cold: ColdItems | None = None,
    ) -> None:
        """vectors [n + 1, H]: the teacher's items; ps [n + 1]: propensities; ``last_position`` if sampled.

        ``cold``: items without a training event and those of similar text; None: they are as any other.
        """
        super().__init__()
        self.model, self.settings, self.sampler = model, settings, sampler
        self.targets, self.last_position = targets, last_position
        self.report_every = report_every
        self.negatives, self.draws = torch.Generator(sampler.device), torch.Generator(sampler.device)
        self.generators = [self.negatives, self.draws]
        self.processes = Processes(sampler.rank, sampler.world)
        self.fixed = sampler.same_shapes and not settings.as_released and len(targets.items) > 0
        width = model.settings.hidden
        self.injection = Injection(vectors, width, settings.injection) if settings.injection.weight else None
        self.cold, self.trained = cold if settings.own_vectors else None, None
        if self.injection is not None and not settings.own_vectors:
            without_own_vectors(model, self.injection)
            self.trained = None if cold is None else TrainedItems(cold.mask(len(vectors)))
        self.hint = nn.Linear(model.item_table()[0].shape[1], vectors.shape[1]) if settings.hint else None
        self.vectors: Tensor
        self.ps: Tensor
        self.register_buffer("vectors", vectors.float(), persistent=False)
        self.register_buffer("ps", ps, persistent=False)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the stage table's groups."""
        added = [part for part in (self.injection, self.hint) if part is not None]
        groups = self.model.groups() | {"projector": [parameter for part in added for parameter in part.parameters()]}
        return {name: [part for part in group if part.requires_grad] for name, group in groups.items()}

    def merged(self) -> SequenceModel:
        """The student as it is served: without teacher and projector."""
        return merged(self.model, self.injection, self.settings.injection.tables, self.cold)

    def obstacle(self) -> str | None:
        if self.settings.as_released:
            return "distill.as_released computes at the positions that have a target alone"
        if len(self.targets.items) == 0:
            return "the knowledge holds no ranking"
        return student_module.obstacle(self.settings.student, self.sampler)

    def start(self, step: int) -> None:
        self.model.stream.start(self.settings.student.seed, step, self.sampler.rank)
        seed_negatives(self.negatives, self.settings.student, step)
        key = np.random.SeedSequence((self.settings.seed, step, 0)).generate_state(1)[0]  # all processes draw the same
        self.draws.manual_seed(int(key))

    def inputs(self, step: int) -> tuple[Tensor, ...]:
        return self.sampler.windows(step)

    def step(self, inputs: tuple[Tensor, ...], reported: bool) -> dict[str, Tensor]:
        return self.outputs(self.sampler.grid(*inputs), reported)

    def training_step(self, step: int, index: int) -> dict[str, Tensor]:
        self.start(step)
        return self.outputs(self.sampler(step), is_reported(step + 1, self.report_every))

    def outputs(self, batch: Batch, reported: bool) -> dict[str, Tensor]:
        """The loss of a batch, and, where reported, its terms with their weights and shares of the gradient."""
        read, table, bias = tables(self.model, self.injection, self.settings.injection.tables)
        scored = Scored(batch, self.model.encode(batch.items, batch.packed, read), table, bias)
        values, extra = self.terms(scored, reported)
        weighted = {name: weight * value for name, (weight, value) in values.items()}
        nothing = scored.states.sum() * 0.0  # as released, a batch without targets has no term at all
        out = {"loss": sum(weighted.values(), nothing)} | extra
        if reported:
            out |= {name: value.detach() for name, (_, value) in values.items() if name not in extra}
            out |= {f"{name}_weight": torch.tensor(weight) for name, (weight, _) in values.items()}
            out |= {
                f"{name}_share": share
                for name, share in shares(weighted, (scored.states, scored.table), self.processes).items()
            }
        return out

    def terms(self, scored: Scored, reported: bool) -> tuple[Terms, dict[str, Tensor]]:
        """Every term of the loss, and values to report in place of some of them.

        Random numbers are those of the step that ``start`` named last.
        """
        settings, batch = self.settings, scored.batch
        rows = self.targets.rows(batch)
        kept, share = self.selected(scored, rows), batch.share
        choice = SharedChoice(kept, self.fixed, share, self.processes) if share else Choice(kept, self.fixed)
        distilled = choice.all()
        own = distilled.filled(rows[distilled.positions], 0)  # [R] of the rankings; any where a position does not count
        scale = self.sampler.world / batch.positions
        shown: dict[str, Tensor] = {}
        values: Terms = {}
        if not settings.as_released:
            values["base"] = (1.0, self.base(scored) * scale)
        if settings.ranking.weight or settings.dro.alpha or settings.as_released:
            values |= self.dllm2rec(scored, rows, choice)
        if settings.kl.weight:
            ranked, teacher = self.targets.soft(own, settings.kl.top, settings.kl.temperature)
            values["kl"] = (settings.kl.weight, self.kl(scored, distilled, ranked, teacher) * scale)
            if reported:
                shown["kl"] = self.divergence(scored, rows, choice)
        if self.last_position is not None:
            value = self.after_last_position(self.last_position, scored) * scale
            values["last_position"] = (settings.last_position, value)
        if self.hint is not None:
            ranked, teacher = self.targets.soft(own, settings.kl.top, settings.kl.temperature)
            wanted = F.embedding_bag(ranked, self.vectors, per_sample_weights=teacher, mode="sum")
            value = losses.hint(self.hint(scored.states[distilled.positions]), wanted)
            values["hint"] = (settings.hint, distilled.mean(value))
        return values, shown

    def base(self, scored: Scored) -> Tensor:
        """Sum of the student's own loss over the positions that have a target."""
        states, batch = scored.states, scored.batch
        if (
            self.last_position is not None and not self.fixed
        ):  # the softmax over all items is expensive: skip positions of weight 0
            has = (batch.targets != PADDING).byte()
            known = has.nonzero()[:, 0]
            share = None if batch.share is None else batch.share.some(self.processes.total(batch.share.spread(has)) > 0)
            states = states[known]
            batch = replace(batch, targets=batch.targets[known], weights=None, slots=None, share=share)
        table, bias = scored.table, scored.bias
        if self.trained is not None:
            table, bias, batch = self.trained.of(table, bias, batch)
        return base_loss(self.settings.student, states, table, bias, batch, self.negatives)

    def after_last_position(self, targets: TeacherTargets, scored: Scored) -> Tensor:
        """Sum over last positions of -sum_k q_k log p_k: cross-entropy against the teacher's distribution."""
        rows = targets.after(scored.batch)
        if self.fixed and len(targets.items):  # one position a history
            packed = scored.batch.packed
            columns = scored.batch.last_position.view(packed.rows, packed.longest).byte().argmax(dim=1)
            positions = torch.arange(packed.rows, device=rows.device) * packed.longest + columns
            last = Chosen(positions, rows[positions] != NO_TARGET)
        else:
            last = chosen.counting(rows != NO_TARGET)
        own = last.filled(rows[last.positions], 0)
        ranked, teacher = targets.soft(own, self.settings.kl.top, self.settings.kl.temperature)
        states, table = scored.widened(last.positions)
        value = cross_entropy(states, table, ranked[:, 0], weights=last.weights)
        return value + losses.soft_target(last.zeroed(states), table, ranked[:, 0], ranked, teacher)

    @torch.no_grad()
    def selected(self, scored: Scored, rows: Tensor) -> Tensor:  # [P] -> [P] bool
        """The positions that are distilled."""
        settings, answered = self.settings, rows != NO_TARGET
        if settings.select in ("all", "asked"):
            return answered
        ranked, teacher = self.targets.soft(rows, settings.kl.top, settings.kl.temperature)
        scores = scored.scores_of(ranked)
        if settings.select == "kl-divergence":
            value = teacher_targets.divergence(scores, teacher)
        else:
            value = teacher_targets.true_error(scores, scored.scores_of(scored.batch.targets[:, None])[:, 0])
        if (share := scored.batch.share) is None:
            return teacher_targets.top_fraction(value, answered, settings.share)
        value, known = (self.processes.total(share.spread(part)) for part in (value, answered.byte()))
        return teacher_targets.top_fraction(value, known.bool(), settings.share)[share.index]

    def dllm2rec(self, scored: Scored, rows: Tensor, choice: Choice) -> Terms:
        """DLLM2Rec's terms over some of the positions, drawn anew each step; no term where there is no position."""
        settings, own = self.settings, self.settings.ranking
        some = choice.drawn(own.rows, self.draws)
        positions = some.positions
        if len(positions) == 0:  # where other processes have some, the same terms without a value
            terms = {"dro": settings.dro.alpha, "ranking": own.weight} if some.order and some.order[1] else {}
            return {name: (weight, 0.0 * scored.states.sum()) for name, weight in terms.items() if weight}
        targets = some.filled(scored.batch.targets[positions], PADDING + 1)
        history = teacher_targets.known(scored.batch, positions)
        negative = teacher_targets.negatives(history, targets, self.model.items, self.draws, some.order)
        # Only the robust loss needs gradients of the scores of all items; consistency needs their values.
        robust = settings.dro.alpha > 0
        with torch.set_grad_enabled(robust):
            scores = scored.scores(positions) if robust or own.consistency else None
        ranked, distances = self.targets.ranked(some.filled(rows[positions], 0), own.top)
        columns = torch.cat([targets[:, None], negative[:, None], ranked], dim=1)
        few, at = (scores, columns) if robust and scores is not None else scored.few(positions, columns)
        values: Terms = {}
        if settings.as_released:
            values["base"] = (1.0, losses.base_bce(few, at[:, 0], at[:, 1]))
        if robust:
            values["dro"] = (settings.dro.alpha, some.mean(losses.dro(few, at[:, :1], self.ps, settings.dro.beta)))
        if own.weight:
            # Items that are the target, the negative or already seen are left to the base loss.
            avoid = torch.cat([history, columns[:, :2]], dim=1)
            valid = None if settings.as_released else ~teacher_targets.among(ranked, avoid) & distances.isfinite()
            gammas = (own.position, own.confidence, own.consistency)
            value = losses.ranking_distillation(
                few,
                at[:, 2:],
                some.zeroed(importance(scores, ranked, distances, gammas, valid)),
                at[:, 1],
                alpha=settings.dro.alpha,
                ps=self.ps,
                beta=settings.dro.beta,
                as_released=settings.as_released,
            )
            values["ranking"] = (own.weight, value * some.filling)
        return values

    @torch.no_grad()
    def divergence(self, scored: Scored, rows: Tensor, choice: Choice) -> Tensor:
        """The mean divergence from the teacher over the first distilled positions: to be shown."""
        some, settings = choice.first(self.settings.ranking.rows), self.settings.kl
        ranked, teacher = self.targets.soft(some.filled(rows[some.positions], 0), settings.top, settings.temperature)
        return some.mean(losses.kl_divergence(scored.scores(some.positions), ranked, teacher))

    def kl(self, scored: Scored, distilled: Chosen, ranked: Tensor, teacher: Tensor) -> Tensor:
        """Sum over the distilled positions of ``losses.soft_target``, which makes cross-entropy's targets soft.

        Beside another base loss it is the whole cross-entropy against the teacher's distribution.
        """
        states, table = scored.widened(distilled.positions)
        targets = scored.batch.targets[distilled.positions]
        if self.trained is not None:
            ranked, teacher = self.trained.soft(targets, ranked, teacher)
        value = losses.soft_target(distilled.zeroed(states), table, targets, ranked, teacher)
        if self.settings.student.loss != "cross-entropy":
            value = value + cross_entropy(states, table, targets, weights=distilled.weights)
        return value

    def configure_optimizers(self) -> Any:
        settings = self.settings.student
        return adamw(self.parameters(), settings.learning_rate, settings.weight_decay, settings.beta2)
