"""Norms per group, by hand."""

import math

import torch
from torch import nn

from engine.training import gradients
from engine.training.processes import Processes
from tests.fixtures.processes import together


def parameters() -> dict[str, list[nn.Parameter]]:
    a, b, c, d = (nn.Parameter(torch.tensor(values)) for values in ([3.0, 4.0], [1.0], [2.0], [5.0]))
    a.grad, b.grad, c.grad = torch.tensor([6.0, 8.0]), torch.tensor([0.0]), torch.tensor([24.0])
    return {"both": [a, c], "zero": [b], "none": [d], "empty": []}


def test_a_missing_gradient_is_none_and_a_zero_gradient_is_zero() -> None:
    assert gradients.norms(gradients.squares(parameters())) == [26.0, 0.0, None, None]


def test_groups_with_a_weight_or_gradient_that_is_not_finite_are_named() -> None:
    groups = parameters()
    assert gradients.not_finite(groups) == []
    gradient = groups["both"][1].grad
    assert gradient is not None
    gradient[0] = math.nan
    with torch.no_grad():
        groups["none"][0][0] = math.inf
    assert gradients.not_finite(groups) == ["both", "none"]


def test_the_total_is_the_norm_over_all_groups() -> None:
    assert gradients.total([3.0, None, 0.0, 4.0]) == 5.0


def test_clipping_scales_every_gradient_alike() -> None:
    groups = parameters()
    assert gradients.clip(groups, 13.0) == 26.0
    norms = gradients.norms(gradients.squares(groups))
    assert norms[0] is not None and math.isclose(norms[0], 13.0, rel_tol=1e-6) and norms[1:] == [0.0, None, None]
    before = [parameter.grad.clone() for group in groups.values() for parameter in group if parameter.grad is not None]
    gradients.clip(groups, 100.0)
    after = [parameter.grad for group in groups.values() for parameter in group if parameter.grad is not None]
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_an_update_is_measured_against_the_weights() -> None:
    groups = parameters()
    before = gradients.snapshot(groups)
    with torch.no_grad():
        groups["both"][0] += torch.tensor([0.0, 0.5])
    size = math.sqrt(3.0**2 + 4.5**2 + 2.0**2)
    ratios = gradients.updates(gradients.changes(groups, before))
    assert ratios[0] is not None and math.isclose(ratios[0], 0.5 / size, rel_tol=1e-6)
    assert ratios[1:] == [0.0, 0.0, None]


def test_gradients_are_averaged_over_processes_and_a_missing_one_is_zero() -> None:
    def work(own: Processes) -> list[list[float] | None]:
        a, b, c = (nn.Parameter(torch.zeros(2)) for _ in range(3))
        a.grad = torch.tensor([1.0, 2.0]) * (own.rank + 1)
        b.grad = torch.tensor([4.0, 0.0]) if own.rank else None
        gradients.average({"one": [a, b], "other": [c]}, own)
        return [None if value.grad is None else value.grad.tolist() for value in (a, b, c)]

    assert together(work) == [[[1.5, 3.0], [2.0, 0.0], None]] * 2
