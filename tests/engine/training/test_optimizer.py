"""Which parameters are decayed."""

import torch
from torch import nn

from engine.training.optimizer import adamw


def test_matrices_are_decayed_and_vectors_are_not() -> None:
    linear = nn.Linear(3, 2)
    optimizer = adamw(linear.parameters(), learning_rate=0.1, weight_decay=0.5)
    before = linear.weight.detach().clone(), linear.bias.detach().clone()
    linear.weight.grad, linear.bias.grad = torch.zeros(2, 3), torch.zeros(2)
    optimizer.step()
    torch.testing.assert_close(linear.weight.detach(), before[0] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(linear.bias.detach(), before[1])


def test_frozen_parameters_are_left_out() -> None:
    linear = nn.Linear(3, 2)
    linear.weight.requires_grad_(False)
    optimizer = adamw(linear.parameters(), 0.1, 0.5)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]
