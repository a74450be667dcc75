"""Dropout and noise of a model: whether an evaluation has any, and models without it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

SAME = 1e-4  # largest relative difference of states that should be equal
RATES = ("p", "rate", "dropout", "attention_dropout", "noise")  # attributes that make a part random


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value."""
    if a.shape != b.shape:
        return float("inf")
    a, b = a.detach().float(), b.detach().float()
    return float((a - b).abs().max() / a.abs().max().clamp(min=1e-9)) if a.numel() else 0.0


@contextmanager
def noiseless(module: nn.Module) -> Iterator[None]:
    """Every rate of dropout and noise is 0."""
    rates = _rates(module)
    for part, name, _ in rates:
        setattr(part, name, 0.0)
    try:
        yield
    finally:
        for part, name, value in rates:
            setattr(part, name, value)


def silenced(module: Any) -> Any:
    """The module in evaluation mode and without dropout, for checks that are about something else."""
    for part, name, _ in _rates(module):
        setattr(part, name, 0.0)
    return module.eval()


def _rates(module: nn.Module) -> list[tuple[nn.Module, str, float]]:
    found = []
    for part in module.modules():
        for name in RATES:
            value = vars(part).get(name)
            if isinstance(value, float) and value:
                found.append((part, name, value))
    return found


def noise_of(module: nn.Module, compute: Callable[[], Tensor]) -> float:
    """Relative difference between two evaluations of a model, or between one and another without dropout."""
    with torch.no_grad():
        first, second = compute(), compute()
        with noiseless(module):
            quiet = compute()
    return max(difference(first, second), difference(first, quiet))
