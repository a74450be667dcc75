"""The student as Lightning sees it: one step is one batch, its loss and its optimizer."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from engine.settings.student import Student
from engine.student import losses
from engine.student.batches import Batch, Windows
from engine.student.cross_entropy import cross_entropy
from engine.student.model import SequenceModel
from engine.training.optimizer import adamw


class StudentModule(pl.LightningModule):
    """Trains a sequential model on windows; the step's number decides batch, dropout and negatives."""

    def __init__(self, model: SequenceModel, settings: Student, windows: Windows) -> None:
        super().__init__()
        self.model, self.settings, self.windows = model, settings, windows

    def training_step(self, step: int, index: int) -> Tensor:
        self.model.stream.start(self.settings.seed, step, self.windows.rank)
        return self.loss(self.windows(step), step)

    def loss(self, batch: Batch, step: int) -> Tensor:
        """Mean loss over the positions of the whole batch; with several processes the mean of theirs is that."""
        settings = self.settings
        states = self.model.encode(batch.items, batch.layout)
        table, bias = self.model.item_table()
        if settings.loss == "cross-entropy":
            total = cross_entropy(states, table, batch.targets, bias, batch.weights)
        else:
            assert settings.negatives is not None
            shape = (settings.negatives,) if settings.loss == "sampled-softmax" else (len(states), settings.negatives)
            key = int(np.random.SeedSequence((settings.seed, step, 1)).generate_state(1)[0])
            generator = torch.Generator(states.device).manual_seed(key)
            negatives = losses.uniform_negatives(shape, self.model.items, generator)
            positive, negative = losses.drawn_scores(states, table, batch.targets, negatives, bias)
            if settings.loss == "sampled-softmax":
                total = losses.sampled_softmax(positive, negative, batch.weights)
            elif settings.loss == "bce":
                total = losses.bce(positive, negative, batch.weights)
            else:
                assert settings.calibration is not None
                total = losses.gbce(positive, negative, self.model.items, settings.calibration, batch.weights)
        return total * (self.windows.world / batch.positions)

    def configure_optimizers(self) -> Any:
        settings = self.settings
        return adamw(self.model.parameters(), settings.learning_rate, settings.weight_decay, settings.beta2)
