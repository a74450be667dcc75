"""Training by whole captured steps: forward, loss, backward, clip, optimizer and running mean of weights in one call.

Everything a step reads or changes lies in static tensors, among them the learning rates and the share of the newest
weights. Between two reports nothing is read back, and Lightning is called once for many steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from engine.training import gradients, weights
from engine.training.executors import Executor
from engine.training.fixed_step import FixedStep
from engine.training.plan import TrainingPlan, is_reported

LONGEST = 64  # steps of a chunk: a request to stop waits for its end
Chunk = tuple[int, int]  # first step, and the one behind the last


@dataclass(frozen=True)
class Reading:
    """What a step leaves to be read, on its device; gradients and changes only where it is reported."""

    values: Mapping[str, Tensor]  # "loss" and others
    squares: Sequence[Tensor | None]  # as ``gradients.squares``, before clipping
    norm: Tensor | None  # of all gradients before clipping; None: they are not clipped
    changes: Sequence[Tensor | None]  # as ``gradients.changes``


class Chunks:
    """Consecutive steps that end where something is reported or evaluated, or an epoch ends; at most ``LONGEST``."""

    def __init__(self, first: int, plan: TrainingPlan, every: int) -> None:
        ends, begin = [first], first
        for step in range(first + 1, plan.steps + 1):
            cut = is_reported(step, every) or step % plan.evaluate_every == 0 or step % plan.per_epoch == 0
            if cut or step - begin == LONGEST or step == plan.steps:
                ends.append(begin := step)
        self._all = list(pairwise(ends))

    def __iter__(self) -> Iterator[Chunk]:  # a plain list would be several loaders to Lightning
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def _follow(average: list[Tensor], newest: list[Tensor], share: Tensor) -> None:
    """a <- a + share (w - a). A processor rounds once, as the callback's mean of plain steps does."""
    if share.device.type == "cpu":
        torch._foreach_lerp_(average, newest, [share] * len(newest))
        return
    moves = torch._foreach_sub(newest, average)  # three kernels for all tensors instead of one for each
    torch._foreach_mul_(moves, share)
    torch._foreach_add_(average, moves)


class CapturedTraining(pl.LightningModule):
    """Drives a module through chunks of steps, each step one call of an executor."""

    def __init__(
        self,
        module: FixedStep,
        plan: TrainingPlan,
        groups: gradients.Groups,
        every: int,
        half: bool,
        executor: Executor,
    ) -> None:
        """``every`` as in ``is_reported``; ``half``: forward passes compute in bfloat16."""
        super().__init__()
        self.automatic_optimization = False
        self.module, self._plan, self._groups, self._every, self._half = module, plan, groups, every, half
        self._execute = executor
        self._static: dict[tuple[torch.Size, ...], tuple[Tensor, ...]] = {}
        self.average: list[Tensor] = []  # the running mean of weights, in the order of ``weights.trained``
        self.bad = torch.zeros((), dtype=torch.bool)  # whether the loss of any step was not a number
        self.reading: Reading | None = None  # of the newest step

    def configure_optimizers(self) -> Any:
        return self.module.configure_optimizers()

    def begin(self, optimizer: torch.optim.Optimizer, average: Mapping[str, Tensor]) -> None:
        """Put learning rates into a tensor; ``average`` is the running mean of the weights, which steps go on with."""
        trained = weights.trained(self.module)
        device = next(iter(trained.values())).device
        self.average = [average[name] for name in trained] if average else []
        self.bad = self.bad.to(device)
        # A GPU's fused optimizer reads a float32 rate; a processor's reads it as Python's number.
        kind = torch.float64 if device.type == "cpu" else torch.float32
        self._scalars = torch.zeros(len(optimizer.param_groups) + 1, dtype=kind, device=device)
        for group, rate in zip(optimizer.param_groups, self._scalars, strict=False):
            group["lr"] = rate
        self._optimizer = optimizer
        self._newest = self._scalars[-1]

    def training_step(self, chunk: Chunk, index: int) -> dict[str, Tensor]:
        table = self._table(chunk)
        for scalars, step in zip(table, range(*chunk), strict=True):
            self.module.start(step)
            self._scalars.copy_(scalars)
            given = self.module.inputs(step)
            shapes = tuple(tensor.shape for tensor in given)
            if shapes not in self._static:
                self._static[shapes] = tuple(tensor.clone() for tensor in given)
            static = self._static[shapes]
            for own, tensor in zip(static, given, strict=True):
                own.copy_(tensor)
            reported = is_reported(step + 1, self._every)
            self.reading = self._execute((shapes, reported), partial(self._work, static, reported))
        assert self.reading is not None
        return dict(self.reading.values)

    def _table(self, chunk: Chunk) -> Tensor:  # [steps, groups + 1]
        """Learning rates of the optimizer's groups and the share of the newest weights, for the steps of a chunk."""
        plan, full = self._plan, [group["full_lr"] for group in self._optimizer.param_groups]
        rows = []
        for step in range(*chunk):
            factor = plan.rate(step)
            rows.append([rate * factor for rate in full] + [plan.newest(step + 1) if self.average else 0.0])
        table = torch.tensor(rows, dtype=torch.float64).to(self._scalars.dtype)
        return table.to(self._scalars.device, non_blocking=True)

    def _work(self, inputs: tuple[Tensor, ...], reported: bool) -> Reading:
        optimizer, groups, kind = self._optimizer, self._groups, self._scalars.device.type
        capturing = kind == "cuda" and torch.cuda.is_current_stream_capturing()
        for group in optimizer.param_groups:
            group["capturable"] = capturing
        # Casts that were cached outside of a graph would be those of old weights.
        with torch.autocast(kind, torch.bfloat16, enabled=self._half, cache_enabled=False):
            values = self.module.step(inputs, reported)
        loss = values["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        squares = gradients.squares(groups) if reported else []
        before = gradients.snapshot(groups) if reported else []
        norm = None if self._plan.clip is None else gradients.clip(groups, self._plan.clip)
        optimizer.step()
        if self.average:
            newest = [parameter.detach() for parameter in weights.trained(self.module).values()]
            _follow(self.average, newest, self._newest.to(newest[0].dtype))
        self.bad |= ~torch.isfinite(loss.detach())
        changes = gradients.changes(groups, before) if reported else []
        optimizer.zero_grad()  # gradients are memory of one graph, which the next may use
        return Reading({name: value.detach() for name, value in values.items()}, squares, norm, changes)
