"""Norms of gradients and updates per parameter group. No gradient at all (None) and an exactly zero one differ."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

Groups = Mapping[str, Sequence[nn.Parameter]]


def norms(groups: Groups) -> list[float | None]:
    """|g| of each group over the parameters that have a gradient; None where none of them has one."""
    squares = [
        [parameter.grad.detach().float().square().sum() for parameter in group if parameter.grad is not None]
        for group in groups.values()
    ]
    return [math.sqrt(float(torch.stack(group).sum())) if group else None for group in squares]


def total(group_norms: Sequence[float | None]) -> float:
    """Norm over all groups."""
    return math.sqrt(sum(norm * norm for norm in group_norms if norm is not None))


def clip(groups: Groups, largest: float) -> tuple[float, bool]:
    """Scale all gradients to a total norm of at most ``largest``: the norm before, and whether it was larger."""
    found = [parameter.grad for group in groups.values() for parameter in group if parameter.grad is not None]
    norm = nn.utils.get_total_norm(found)
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(found, factor)  # the foreach kernels are what torch.nn.utils itself is made of
    return float(norm), bool(norm > largest)


def snapshot(groups: Groups) -> list[list[Tensor]]:
    """Copies of all weights, to measure the next update with."""
    return [[parameter.detach().clone() for parameter in group] for group in groups.values()]


def updates(groups: Groups, before: Sequence[Sequence[Tensor]]) -> list[float | None]:
    """|w_after - w_before| / |w_after| of each group; None for a group without parameters, 0 where nothing moved."""
    ratios: list[float | None] = []
    for group, old in zip(groups.values(), before, strict=True):
        if not group:
            ratios.append(None)
            continue
        moved = math.sqrt(sum(float((new.detach() - was).square().sum()) for new, was in zip(group, old, strict=True)))
        size = math.sqrt(sum(float(new.detach().square().sum()) for new in group))
        ratios.append(moved / size if size > 0 else 0.0)
    return ratios


def not_finite(groups: Groups) -> list[str]:
    """Groups with a weight or gradient that is not a finite number."""

    def sound(parameter: nn.Parameter) -> bool:
        given = [parameter.detach()] + ([parameter.grad] if parameter.grad is not None else [])
        return all(bool(torch.isfinite(tensor).all()) for tensor in given)

    return [name for name, group in groups.items() if not all(sound(parameter) for parameter in group)]
