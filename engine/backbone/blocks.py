"""The first K blocks of a language model with its final norm: a shallower model of the same family."""

from typing import Any

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.errors import UserError


def keep_first(model: Any, count: int, folder: str) -> None:
    """Drop the blocks behind the first ``count``; the configuration follows. UserError where that cannot be done."""
    config = model.config.get_text_config()
    total = int(config.num_hidden_layers)
    if count > total:
        raise UserError(
            f"the language model has {total} blocks, not {count}",
            location="backbone.blocks",
            remedy=f"Use at most {total}, or null for all.",
        )
    stacks = [
        (parent, name)
        for parent in model.base_model.modules()
        for name, part in parent.named_children()
        if isinstance(part, nn.ModuleList)
        and len(part) == total
        and all(isinstance(block, GradientCheckpointingLayer) for block in part)
    ]
    if len(stacks) != 1:
        raise UserError(
            f"blocks of a model of type {config.model_type} cannot be left out: "
            f"{len(stacks)} stacks of {total} were found",
            location=folder,
            remedy="Use backbone.blocks=null.",
        )
    parent, name = stacks[0]
    setattr(parent, name, getattr(parent, name)[:count])
    config.num_hidden_layers = count
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:count]
