"""The student's Lightning module: batch, loss and optimizer of a step.

Letters: P positions, D width, n items.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.student import losses
from engine.student.batches import Batch, BatchSampler
from engine.student.cross_entropy import cross_entropy
from engine.student.model import SequenceModel
from engine.training.fixed_step import FixedStep
from engine.training.optimizer import adamw

NOT_CAPTURED = ("gru4rec", "caser")


class HistoryStep(FixedStep):
    """Steps over batches of histories, of a student that learns alone or from a teacher."""

    sampler: BatchSampler

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the stage table's groups."""
        raise NotImplementedError


class StudentModule(HistoryStep):
    """Trains a sequential model; batch, dropout and negatives are functions of the step's number."""

    def __init__(self, model: SequenceModel, settings: StudentSettings, sampler: BatchSampler) -> None:
        super().__init__()
        self.model, self.settings, self.sampler = model, settings, sampler
        self.negatives = torch.Generator(sampler.device)
        self.generators = [self.negatives]

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return self.model.groups()

    def obstacle(self) -> str | None:
        return obstacle(self.settings, self.sampler)

    def start(self, step: int) -> None:
        self.model.stream.start(self.settings.seed, step, self.sampler.rank)
        seed_negatives(self.negatives, self.settings, step)

    def inputs(self, step: int) -> tuple[Tensor, ...]:
        return self.sampler.windows(step)

    def step(self, inputs: tuple[Tensor, ...], reported: bool) -> dict[str, Tensor]:
        return {"loss": self.loss(self.sampler.grid(*inputs))}

    def training_step(self, step: int, index: int) -> Tensor:
        self.start(step)
        return self.loss(self.sampler(step))

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss over the positions of the whole batch; with several processes the mean of theirs is that.

        Random numbers are those of the step that ``start`` named last.
        """
        states = self.model.encode(batch.items, batch.packed)
        table, bias = self.model.item_table()
        total = base_loss(self.settings, states, table, bias, batch, self.negatives)
        return total * (self.sampler.world / batch.positions)

    def configure_optimizers(self) -> Any:
        settings = self.settings
        return adamw(self.model.parameters(), settings.learning_rate, settings.weight_decay, settings.beta2)


def obstacle(settings: StudentSettings, sampler: BatchSampler) -> str | None:
    """Why steps of a student cannot be captured, None where they can."""
    if not sampler.same_shapes:
        return "its batches have no fixed shape"
    if settings.model in NOT_CAPTURED:
        return f"student.model={settings.model} calls kernels of cuDNN, which choose their algorithm while they run"
    return None


def seed_negatives(generator: torch.Generator, settings: StudentSettings, step: int) -> None:
    """Begin the negatives that belong to a step, where the loss draws any."""
    if settings.loss != "cross-entropy":
        generator.manual_seed(int(np.random.SeedSequence((settings.seed, step, 1)).generate_state(1)[0]))


def base_loss(
    settings: StudentSettings,
    states: Tensor,
    table: Tensor,
    bias: Tensor | None,
    batch: Batch,
    negatives_from: torch.Generator,
) -> Tensor:  # states [P, D], table [n + 1, D], bias [n + 1] -> scalar
    """Sum of the loss ``settings.loss`` over the positions."""
    if not len(states):  # a process without a history: every parameter gets a gradient all the same
        return 0.0 * sum((part.sum() for part in (table, bias) if part is not None), states.sum())
    if settings.loss == "cross-entropy":
        if batch.slots is None:
            return cross_entropy(states, table, batch.targets, bias, batch.weights)
        cells, weights = batch.with_target()  # a product with all items is worth leaving out padded cells
        return cross_entropy(states.index_select(0, cells), table, batch.targets[cells], bias, weights)
    assert settings.negatives is not None
    items = len(table) - 1
    rows = len(states) if batch.share is None else batch.share.size  # several processes draw the same for each row
    shape = (settings.negatives,) if settings.loss == "sampled-softmax" else (rows, settings.negatives)
    negatives = losses.uniform_negatives(shape, items, negatives_from)
    if batch.share is not None and settings.loss != "sampled-softmax":
        negatives = negatives[batch.share.index]
    positive, negative = losses.drawn_scores(states, table, batch.targets, negatives, bias)
    if settings.loss == "sampled-softmax":
        return losses.sampled_softmax(positive, negative, batch.weights)
    t = settings.calibration if settings.loss == "gbce" else 0.0
    assert t is not None
    prior = losses.prior_log_odds(settings.negatives, items, t)
    return losses.gbce(positive + prior, negative + prior, items, t, batch.weights)
