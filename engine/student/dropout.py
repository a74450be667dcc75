"""Dropout whose random numbers cost next to nothing on a CPU and are a function of (seed, step).

PyTorch draws one Bernoulli number after the other, about 9 ns each: a quarter of a training step. Here one 64-bit word
of PCG64 decides about four entries, 16 bits each, so a rate is a whole number of 65536ths; the scale uses that very
rate, so the expectation is exact. On a GPU PyTorch's own kernel is used.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEVELS = 1 << 16


class RandomStream:
    """The numbers that all dropout of one model draws from; after ``start`` they do not depend on the past."""

    def __init__(self) -> None:
        self._key: tuple[int, ...] = (0,)
        self._generator: np.random.Generator | None = None

    def start(self, *key: int) -> None:
        """Begin the stream that belongs to ``key``, for example (seed, step, rank)."""
        self._key, self._generator = key, None  # made when the first number is drawn: on a GPU none is

    def words(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
        """``count`` independent uniform 16-bit numbers."""
        if self._generator is None:
            self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._key)))
        raw = self._generator.integers(0, 2**64 - 1, size=-(-count // 4), dtype=np.uint64, endpoint=True)
        return raw.view(np.uint16)[:count]


class Dropout(nn.Module):
    """y = x * m / (1 - p), m Bernoulli(1 - p), p the nearest 65536th to ``rate``; the identity when evaluating."""

    def __init__(self, rate: float, stream: RandomStream) -> None:
        super().__init__()
        self.rate, self._stream = rate, stream

    def mask(self, like: Tensor) -> Tensor | None:
        """m / (1 - p) in the shape and type of ``like`` (a CPU tensor); None where nothing is dropped."""
        if not self.training or self.rate == 0.0:
            return None
        dropped = round(self.rate * _LEVELS)
        kept = self._stream.words(like.numel()) >= np.uint16(dropped)
        # The product of int8 and a float32 scalar is one vectorised pass, astype and a product are two.
        scaled = np.multiply(kept.view(np.int8), np.float32(_LEVELS / (_LEVELS - dropped)), dtype=np.float32)
        return torch.from_numpy(scaled).view(like.shape).to(like.dtype)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return F.dropout(x, self.rate, self.training)
        mask = self.mask(x)
        return x if mask is None else x * mask

    def add(self, residual: Tensor, x: Tensor) -> Tensor:
        """residual + dropout(x), in one pass."""
        if x.device.type != "cpu":
            return residual + F.dropout(x, self.rate, self.training)
        mask = self.mask(x)
        return residual + x if mask is None else torch.addcmul(residual, x, mask)
