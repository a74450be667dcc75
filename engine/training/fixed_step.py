"""A training step as a function of a few tensors whose shapes do not change: what can be captured and replayed."""

import pytorch_lightning as pl
import torch
from torch import Tensor


class FixedStep(pl.LightningModule):
    """A module whose step is made of ``start`` on the host, ``inputs``, and ``step``, which stays on the device.

    ``training_step(k, _)`` is the same step: ``start(k)`` and then what ``step(inputs(k), ...)`` computes.
    """

    generators: list[torch.Generator]  # that ``step`` draws from beside PyTorch's own, on its device

    def obstacle(self) -> str | None:
        """Why the steps cannot be captured; None where they can."""
        raise NotImplementedError

    def start(self, step: int) -> None:
        """Seed the random numbers of a step."""
        raise NotImplementedError

    def inputs(self, step: int) -> tuple[Tensor, ...]:
        """All that differs between one step and another of the same shapes, on the device."""
        raise NotImplementedError

    def step(self, inputs: tuple[Tensor, ...], reported: bool) -> dict[str, Tensor]:
        """``loss`` and other values to report. No value is read, and no tensor moves between host and device."""
        raise NotImplementedError
