"""Norms of gradients and updates per parameter group. No gradient at all (None) and an exactly zero one differ."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from engine.training.processes import Processes

Groups = Mapping[str, Sequence[nn.Parameter]]


def squares(groups: Groups) -> list[Tensor | None]:
    """|g|^2 of each group over the parameters that have a gradient; None where none of them has one."""
    found = [
        [parameter.grad.detach().float().square().sum() for parameter in group if parameter.grad is not None]
        for group in groups.values()
    ]
    return [torch.stack(group).sum() if group else None for group in found]


def average(groups: Groups, processes: Processes) -> None:
    """Put the mean over processes in place of every gradient; where one has none it counts as zero."""
    parameters = [parameter for group in groups.values() for parameter in group]
    found = processes.total(torch.tensor([0.0 if one.grad is None else 1.0 for one in parameters]))
    used = [one for one, count in zip(parameters, found.tolist(), strict=True) if count]
    for one in used:
        one.grad = torch.zeros_like(one) if one.grad is None else one.grad
    given = [one.grad for one in used if one.grad is not None]
    if given:
        flat = processes.total(torch.cat([grad.reshape(-1) for grad in given])) / processes.count
        for grad, mean in zip(given, torch.split(flat, [grad.numel() for grad in given]), strict=True):
            grad.copy_(mean.view_as(grad))


def norms(group_squares: Sequence[Tensor | None]) -> list[float | None]:
    """|g| of each group, read from the device."""
    return [None if square is None else math.sqrt(float(square)) for square in group_squares]


def total(group_norms: Sequence[float | None]) -> float:
    """Norm over all groups."""
    return math.sqrt(sum(norm * norm for norm in group_norms if norm is not None))


def clip(groups: Groups, largest: float) -> Tensor:
    """Scale all gradients to a total norm of at most ``largest``: the norm before, which is not read here."""
    found = [parameter.grad for group in groups.values() for parameter in group if parameter.grad is not None]
    norm = nn.utils.get_total_norm(found)
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(found, factor)  # the foreach kernels are what torch.nn.utils itself is made of
    return norm


def snapshot(groups: Groups) -> list[list[Tensor]]:
    """Copies of all weights, to measure the next update with."""
    return [[parameter.detach().clone() for parameter in group] for group in groups.values()]


def changes(groups: Groups, before: Sequence[Sequence[Tensor]]) -> list[Tensor | None]:
    """|w_after - w_before|^2 and |w_after|^2 of the parameters of each group [2, parameters]; None for an empty one."""
    found: list[Tensor | None] = []
    for group, old in zip(groups.values(), before, strict=True):
        moved = [(new.detach() - was).square().sum() for new, was in zip(group, old, strict=True)]
        sizes = [new.detach().square().sum() for new in group]
        found.append(torch.stack(moved + sizes).view(2, -1) if moved else None)
    return found


def updates(group_changes: Sequence[Tensor | None]) -> list[float | None]:
    """|w_after - w_before| / |w_after| of each group; None for a group without parameters, 0 where nothing moved."""
    ratios: list[float | None] = []
    for group in group_changes:
        if group is None:
            ratios.append(None)
            continue
        moved, size = (math.sqrt(sum(part)) for part in group.tolist())
        ratios.append(moved / size if size > 0 else 0.0)
    return ratios


def not_finite(groups: Groups) -> list[str]:
    """Groups with a weight or gradient that is not a finite number."""

    def sound(parameter: nn.Parameter) -> bool:
        given = [parameter.detach()] + ([parameter.grad] if parameter.grad is not None else [])
        return all(bool(torch.isfinite(tensor).all()) for tensor in given)

    return [name for name, group in groups.items() if not all(sound(parameter) for parameter in group)]
