"""What training changes: trainable parameters and buffers, never frozen weights."""

import torch
from torch import nn

from engine.training import weights


def module() -> nn.Module:
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    made[0].weight.requires_grad_(False)
    return made


def test_frozen_weights_are_in_neither_list_and_buffers_are_state() -> None:
    made = module()
    assert set(weights.trained(made)) == {"0.bias", "1.weight", "1.bias"}
    assert set(weights.state(made)) == set(made.state_dict()) - {"0.weight"}


def test_frozen_weights_that_two_modules_share_are_no_state_under_either_name() -> None:
    made = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3))
    made[1].weight = made[0].weight.requires_grad_(False)
    assert set(weights.state(made)) == {"1.bias"}
    made[0].weight.requires_grad_(True)
    assert set(weights.state(made)) == {"0.weight", "1.weight", "1.bias"}


def test_values_are_copied_into_the_tensors_of_their_names() -> None:
    made, other = module(), module()
    frozen = made[0].weight.clone()  # type: ignore[operator,union-attr]
    weights.put(made, {name: torch.full_like(value, 3) for name, value in weights.state(other).items()})
    assert all((value == 3).all() for value in weights.state(made).values())
    assert torch.equal(made.state_dict()["0.weight"], frozen)
