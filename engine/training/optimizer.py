"""AdamW and learning-rate schedules, as all stages that train use them."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn


def adamw(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float, beta2: float = 0.999
) -> torch.optim.AdamW:
    """AdamW in its fused form; vectors (biases, norms) are not decayed."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=learning_rate, betas=(0.9, beta2), fused=True
    )


def schedule(kind: str, warmup: int, steps: int) -> Callable[[int], float]:
    """Factor on the learning rate by steps done: (k + 1) / warmup at first, then constant, linear or cosine to zero."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if kind == "constant":
            return 1.0
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return 1.0 - done if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))

    return factor
