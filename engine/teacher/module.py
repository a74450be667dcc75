"""The teacher as a Lightning module: its steps, its optimizer groups, and the report of its gate."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from engine.backbone.pieces import Ints
from engine.config.settings.teacher import TeacherSettings
from engine.runs.run import Run
from engine.student.validation import Tick
from engine.teacher.lora.gate import balance, histogram
from engine.teacher.model import Teacher
from engine.training.plan import TOKENS

BINS = 20  # of the gate's histogram


@dataclass(frozen=True)
class StepPart:
    """One part of a step: its mean loss and the facts reported about it."""

    loss: Tensor
    weight: float  # of its loss in the step's
    tokens: int
    padding_share: float
    gates: Tensor  # [B, E]


@dataclass(frozen=True)
class StepSplit:
    """How a step's prompts are split: among ``processes``, and in each process into ``pieces``."""

    pieces: int
    rank: int
    processes: int

    def __call__(self, prompts: int, k: int) -> Ints:
        """Indices of the k-th part. Where there are too few prompts, the first one, with weight 0."""
        chosen = np.arange(prompts)[self.rank + self.processes * k :: self.processes * self.pieces]
        return chosen if len(chosen) else np.zeros(1, dtype=np.int64)

    def weight(self, own: int, whole: int, k: int, prompts: int) -> float:
        """Weight of a part's mean over ``own`` of a step's ``whole`` terms; gradients of processes are averaged."""
        empty = self.rank + self.processes * k >= prompts
        return 0.0 if empty else self.processes * own / max(1, whole)


@dataclass(frozen=True)
class Objective:
    """Training and evaluation of an objective."""

    part: Callable[[int, int], StepPart]  # (step, k) -> the k-th part of a step, a function of both and the seed
    evaluate: Callable[[Tick], Mapping[str, float]]
    positions: Callable[[int], int]  # supervised ones of a step
    per_epoch: int  # steps
    metric: str  # selects the best evaluation
    processes: int  # among which a step is split
    skips: bool  # some steps leave parameters without a gradient


class TeacherModule(pl.LightningModule):
    """Trains a teacher on an objective."""

    def __init__(
        self, teacher: Teacher, settings: TeacherSettings, objective: Objective, run: Run, report_every: int
    ) -> None:
        super().__init__()
        self.teacher, self.settings, self.objective = teacher, settings, objective
        self.run, self.every = run, report_every
        self._since = time.monotonic()

    def configure_model(self) -> None:
        """Lightning's hook for dividing a model among devices: its blocks were divided when they were loaded."""

    def training_step(self, step: int, index: int) -> dict[str, Any]:
        parts: list[StepPart] = []

        def loss_of(k: int) -> Tensor:
            parts.append(self.objective.part(step, k))
            return parts[-1].loss * parts[-1].weight

        pieces = self.settings.accumulate
        trained = [value for value in self.parameters() if value.requires_grad]
        loss = loss_of(0) if pieces == 1 else accumulated(loss_of, pieces, trained)
        now = time.monotonic()
        tokens = self.objective.processes * sum(part.tokens for part in parts)
        speed, self._since = tokens / max(now - self._since, 1e-9), now
        if step == 0 or (step + 1) % self.every == 0:
            report_gate(self.run, step + 1, torch.cat([part.gates for part in parts]))
        padding = sum(part.padding_share for part in parts) / pieces
        read = tokens if self.settings.rank is None or self.settings.rank.states else 0
        return {"loss": loss, TOKENS: read, "tokens_per_second": speed, "padding_share": padding}

    def configure_optimizers(self) -> Any:
        settings, groups = self.settings, self.teacher.groups()
        rate, decay = settings.learning_rate, settings.weight_decay
        chosen = [
            {"params": groups["lora_a"] + groups["lora_b"], "lr": rate, "weight_decay": 0.0},
            {"params": groups["projector"] + groups["head"], "lr": rate, "weight_decay": decay},
            {"params": groups["gate"], "lr": rate * settings.gate_rate, "weight_decay": decay},
        ]
        kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        fused = self.device.type == "cuda" or None  # one launch for hundreds of small tensors
        return kind([group for group in chosen if group["params"]], lr=rate, fused=fused)


def report_gate(run: Run, step: int, weights: Tensor) -> None:
    """Histogram, load and entropy of expert weights [B, E]; one gate serves all layers."""
    load, entropy = balance(weights)
    run.gate(step, "shared", histogram(weights, BINS), load, entropy)


def accumulated(loss_of: Callable[[int], Tensor], pieces: int, parameters: Sequence[nn.Parameter]) -> Tensor:
    """The sum of ``loss_of(k)`` over k, each differentiated before the next is computed: memory for one at a time.

    The result's backward passes on the gradients that were added up; it holds no activations.
    """
    sums: list[Tensor | None] = [None] * len(parameters)
    total = torch.zeros((), device=parameters[0].device)
    for k in range(pieces):
        loss = loss_of(k)
        total = total + loss.detach()
        for at, gradient in enumerate(torch.autograd.grad(loss, parameters, allow_unused=True)):
            if gradient is not None:
                have = sums[at]
                # A replayed pass writes the next part's gradients where it left these.
                sums[at] = gradient.clone() if have is None else have.add_(gradient)
    used = [(parameter, gradient) for parameter, gradient in zip(parameters, sums, strict=True) if gradient is not None]
    apply: Callable[..., Tensor] = _Known.apply
    return apply(total, *(part for pair in used for part in pair))


class _Known(torch.autograd.Function):
    """A value whose gradients with respect to some parameters are known: apply(value, p1, g1, p2, g2, ...)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *pairs: Tensor) -> Tensor:
        ctx.save_for_backward(*pairs[1::2])
        return value.clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(part for gradient in ctx.saved_tensors for part in (gradient * dy, None)))
