"""The blocks of a language model: the first of them alone, compiled, or recomputed in backward."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.backbone.causal_attention import attending, both
from engine.errors import UserError


def keep_first(model: Any, count: int, folder: str) -> None:
    """Drop the blocks behind the first ``count``, which leaves a shallower model of the same family.

    The configuration follows. UserError where that cannot be done.
    """
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


def compile_blocks(model: nn.Module) -> None:
    """Translates the code of the blocks once for all of them, when they first run."""
    # The compiler looks at the gradients of all inputs, those that have none included.
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
    for block in model.modules():
        if isinstance(block, GradientCheckpointingLayer):
            block.compile()


def recompute_blocks(model: Any, context_fn: Callable[[], Any]) -> None:
    """Recomputes each block in backward instead of keeping its activations; the gradients stay exact.

    The library's own switch needs blocks in training mode, which would turn on the frozen model's dropout.
    """

    config: Any = model.base_model.config

    def recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            implementation = config._attn_implementation

            def contexts() -> Any:
                ahead, again = context_fn()
                return ahead, both(again, attending(config, implementation))

            return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

        return run

    for block in model.modules():
        if isinstance(block, GradientCheckpointingLayer):
            block.forward = recomputed(block.forward)
