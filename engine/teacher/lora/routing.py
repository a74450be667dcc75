"""Expert weights of the current batch: passed explicitly, checked against every batch, removed afterwards.

Letters: B sequences, T positions, N = B T, E experts, R total rank, M maps that read one input.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor


class RoutedBatch:
    """The expert weights of one batch, and what all layers make of them once."""

    def __init__(self, weights: Tensor, prompt: Tensor | None) -> None:  # [B, E], [N]
        self.weights, self.prompt = weights, prompt
        self.copies: dict[Any, Sequence[Tensor]] | None = None  # of the layers' experts, by their group
        self._channels: tuple[Tensor, Tensor] | None = None  # of which weights, and what was made of them
        self._factors: dict[Any, Tensor] = {}
        self._owner: Tensor | None = None

    def fits(self, rows: int, tokens: int) -> bool:
        """Whether a batch of this shape is the one."""
        return rows == len(self.weights) if self.prompt is None else (rows, tokens) == (1, len(self.prompt))

    def channels(self, weights: Tensor, rank: int, scale: float) -> Tensor:  # [B, E] -> [B, R]
        """Each expert's scaled weight, repeated over its channels. Another layer's rank or scale is not expected."""
        if self._channels is None or self._channels[0] is not weights:
            self._factors.clear()
            self._owner = None
            self._channels = weights, weights.repeat_interleave(rank // weights.shape[1], dim=1) * scale
        return self._channels[1]

    def factor(self, channels: Tensor, positions: int, maps: int, dtype: torch.dtype) -> Tensor:  # [B, R] -> [N, M R]
        """The channels of every token and map, without a gradient."""
        key = positions, maps, dtype
        found = self._factors.get(key)
        if found is None:
            rows = channels.detach().to(dtype)
            if self.prompt is None:
                wide = rows[:, None, None].expand(-1, positions, maps, -1)
            else:
                wide = rows[self.prompt][:, None].expand(-1, maps, -1)
            found = self._factors[key] = wide.reshape(-1, maps * rows.shape[1])
        return found

    def owner(self, dtype: torch.dtype) -> Tensor | None:  # -> [B, N]
        """1 where a token is of a sequence, for packed ones: sums over tokens become a product. None for others."""
        if self.prompt is None:
            return None
        if self._owner is None or self._owner.dtype != dtype:
            rows = torch.arange(len(self.weights), device=self.prompt.device)
            self._owner = (rows[:, None] == self.prompt).to(dtype)
        return self._owner


class Routing:
    """Holds the expert weights while the language model runs; one object is shared by all adapted layers.

    Outside ``with routing.of(weights):`` there are none, so a layer never uses the weights of another batch.
    """

    def __init__(self) -> None:
        self.batch: RoutedBatch | None = None
        self.groups: list[Any] = []  # of layers that read one input
        self._off = False

    @contextmanager
    def of(self, weights: Tensor, beams: int = 1, prompt: Tensor | None = None) -> Iterator[None]:  # [B, E]
        """Sets the expert weights inside the block; each row is repeated ``beams`` times, as in generation.

        Packed sequences are one row of N tokens: ``prompt`` [N] names the sequence of each.
        """
        batch = RoutedBatch(weights if beams == 1 else weights.repeat_interleave(beams, dim=0), prompt)
        if self.groups:
            self.groups[0].prepare(batch)  # now, so that the layers' code is the same in every block
        with self._held(batch):
            yield

    @contextmanager
    def _held(self, batch: RoutedBatch) -> Iterator[None]:
        before, self.batch = self.batch, batch
        try:
            yield
        finally:
            self.batch = before

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switches the experts off inside the block: the model is the frozen one."""
        before, self._off = self._off, True
        try:
            yield
        finally:
            self._off = before

    def weights(self, shape: Sequence[int]) -> Tensor | None:  # -> [B, E]
        """The expert weights of a batch of ``shape`` (rows, tokens); None while the experts are off."""
        if self._off:
            return None
        batch = self.batch
        if batch is None or not batch.fits(*shape):
            have = "none were" if batch is None else f"{len(batch.weights)} were"
            raise RuntimeError(
                f"expert weights for {shape[0]} sequences are needed, but {have} set: call the language model "
                "inside `with routing.of(weights):`, with beams=k when each row is repeated for k beams"
            )
        return batch.weights

    def checkpoint_contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """``context_fn`` of gradient checkpointing: a block recomputed in backward uses the weights of its forward."""
        batch = self.batch
        return nullcontext(), nullcontext() if batch is None else self._held(batch)
