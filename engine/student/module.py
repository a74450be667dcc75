"""The student's Lightning module: batch, loss and optimizer of a step."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from engine.config.settings.student import StudentSettings
from engine.student import losses
from engine.student.batches import Batch, BatchSampler
from engine.student.cross_entropy import cross_entropy
from engine.student.model import SequenceModel
from engine.training.optimizer import adamw


class StudentModule(pl.LightningModule):
    """Trains a sequential model; batch, dropout and negatives are functions of the step's number."""

    def __init__(self, model: SequenceModel, settings: StudentSettings, sampler: BatchSampler) -> None:
        super().__init__()
        self.model, self.settings, self.sampler = model, settings, sampler

    def training_step(self, step: int, index: int) -> Tensor:
        self.model.stream.start(self.settings.seed, step, self.sampler.rank)
        return self.loss(self.sampler(step), step)

    def loss(self, batch: Batch, step: int) -> Tensor:
        """Mean loss over the positions of the whole batch; with several processes the mean of theirs is that."""
        states = self.model.encode(batch.items, batch.packed)
        table, bias = self.model.item_table()
        total = base_loss(self.settings, states, table, bias, batch, step)
        return total * (self.sampler.world / batch.positions)

    def configure_optimizers(self) -> Any:
        settings = self.settings
        return adamw(self.model.parameters(), settings.learning_rate, settings.weight_decay, settings.beta2)


def base_loss(
    settings: StudentSettings, states: Tensor, table: Tensor, bias: Tensor | None, batch: Batch, step: int
) -> Tensor:  # states [P, D], table [n + 1, D], bias [n + 1] -> scalar
    """Sum of the loss ``settings.loss`` over the positions; the negatives are a function of the step."""
    if settings.loss == "cross-entropy":
        return cross_entropy(states, table, batch.targets, bias, batch.weights)
    assert settings.negatives is not None
    items = len(table) - 1
    shape = (settings.negatives,) if settings.loss == "sampled-softmax" else (len(states), settings.negatives)
    key = int(np.random.SeedSequence((settings.seed, step, 1)).generate_state(1)[0])
    generator = torch.Generator(states.device).manual_seed(key)
    negatives = losses.uniform_negatives(shape, items, generator)
    positive, negative = losses.drawn_scores(states, table, batch.targets, negatives, bias)
    if settings.loss == "sampled-softmax":
        return losses.sampled_softmax(positive, negative, batch.weights)
    t = settings.calibration if settings.loss == "gbce" else 0.0
    assert t is not None
    prior = losses.prior_log_odds(settings.negatives, items, t)
    return losses.gbce(positive + prior, negative + prior, items, t, batch.weights)
