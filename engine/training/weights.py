"""The part of a module that training changes: read it, copy it, put it back."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that learn, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def state(module: nn.Module) -> dict[str, Tensor]:
    """What training changes: trainable parameters and persistent buffers. Frozen weights are not copied about.

    Weights that two modules share have two names: many language models read and write tokens with one table.
    """
    every = module.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in every if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def put(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Copy values into the module's tensors of the same names."""
    own = module.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)
