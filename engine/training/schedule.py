"""Schedules: learning rates and other values as functions of the step."""

import math
from collections.abc import Callable


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


def warmup_cosine(step: int, total: int, warmup: int, peak: float, floor: float, start: float) -> float:
    """Linear from ``start`` to ``peak`` over ``warmup`` steps, then a cosine to ``floor`` at ``total`` (REFERENCE c.6).

    lr = floor + (peak - floor) / 2 (1 + cos(pi (step - warmup) / (total - warmup))) after the warm-up.
    """
    if step < warmup:
        return min(peak, start + (peak - start) * step / max(warmup, 1))
    way = min(1.0, (step - warmup) / max(total - warmup, 1))
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * way))


def hybrid_probability(step: int, total: int) -> float:
    """Share of batches whose prompts carry item vectors: it grows from 0 to 1 over the run (LLaRA's curriculum).

    Departure from the released code, which restarts it in every worker and epoch: the global step drives it.
    """
    return min(1.0, step / max(total - 1, 1))
