"""Frozen weights of a language model that does not fit one device: in equal parts on several (PyTorch's FSDP2).

Each block's weights are gathered before its forward and its backward pass and dropped again after it. All processes
must run the model at the same times.
"""

from collections.abc import Collection
from typing import Any

from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.errors import UserError


def shard_blocks(model: Any, whole: Collection[nn.Parameter], device: str, processes: int) -> tuple[int, int]:
    """Puts a part of every block on this process's device; weights held there, and all weights of the blocks.

    The parameters ``whole``, the embeddings and the last norm are on every device. UserError without blocks.
    """
    mesh = init_device_mesh(device.partition(":")[0], (processes,))
    blocks = [part for part in model.base_model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not blocks:
        raise UserError(
            f"a model of type {model.config.model_type} has no blocks that several devices could share",
            location="trainer.strategy",
            remedy="Choose trainer.strategy=ddp.",
        )
    for block in blocks:
        fully_shard(block, mesh=mesh, reshard_after_forward=True, ignored_params=set(whole))
    model.to(device)
    parts = [value for block in blocks for value in block.parameters() if isinstance(value, DTensor)]
    return sum(value.to_local().numel() for value in parts), sum(value.numel() for value in parts)
