"""Frozen weights of a language model that does not fit one device: in equal parts on several (PyTorch's FSDP2).

Each process reads its own rows of every weight. Each block's weights are gathered before its forward and its backward
pass and dropped again after it. All processes must run the model at the same times.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoTokenizer
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.backbone import language, slices
from engine.backbone.blocks import keep_first
from engine.backbone.heads import check
from engine.errors import UserError
from engine.training.processes import Processes


@dataclass(frozen=True)
class Held:
    """Weights of the blocks: those on this device, and all; and why all were read first, where they were."""

    here: int
    whole: int
    read_whole: str | None


def load(folder: Path, precision: str, device: str, processes: Processes) -> tuple[Any, Any, Held]:
    """As ``language.load``, with a part of every block on this process's device, and what is there.

    Embeddings and the last norm are on every device. Where the files do not allow slices, each process reads all
    weights into main memory before it keeps its part. UserError without blocks.
    """
    source, dtype, kept = language.saved(folder, precision)
    mesh = init_device_mesh(device.partition(":")[0], (processes.count,))
    with language.reading(source):
        found = slices.files(Path(source))
        model: Any = slices.without_weights(Path(source), dtype) if found else None
        if kept is not None and model is not None:
            keep_first(model, kept, source)
        reason = slices.obstacle(model, found, dtype)
        if reason is None:
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
            blocks = _shard(model, mesh)
            _read(model, blocks, found, device, processes)
    if reason is None:
        language.equip(model, tokenizer)
        model.eval().requires_grad_(False)
        check(model, source)
    else:
        model, tokenizer = language.read(source, dtype, "none", "cpu", kept)
        blocks = _shard(model, mesh)
        model.to(device)
    parts = [value for block in blocks for value in block.parameters() if isinstance(value, DTensor)]
    here = sum(value.to_local().numel() for value in parts)
    return model, tokenizer, Held(here, sum(value.numel() for value in parts), reason)


def _shard(model: Any, mesh: DeviceMesh) -> list[nn.Module]:
    """Divides the blocks among the processes; the blocks."""
    blocks: list[nn.Module] = [
        part for part in model.base_model.modules() if isinstance(part, GradientCheckpointingLayer)
    ]
    if not blocks:
        raise UserError(
            f"a model of type {model.config.model_type} has no blocks that several devices could share",
            location="trainer.strategy",
            remedy="Choose trainer.strategy=ddp.",
        )
    for block in blocks:
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    return blocks


@torch.no_grad()
def _read(model: Any, blocks: list[nn.Module], found: dict[str, Path], device: str, processes: Processes) -> None:
    """Gives a model without weights this process's rows of the blocks' weights, and all of the others."""
    for block in blocks:
        buffers = {name: buffer.clone() for name, buffer in block.named_buffers()}
        block.to_empty(device=device)
        for name, buffer in block.named_buffers():
            buffer.copy_(buffers[name])
    for name, value in list(model.named_parameters()):
        if isinstance(value, DTensor):
            own, each = value.to_local(), -(-len(value) // processes.count)
            first = min(processes.rank * each, len(value))
            own.copy_(slices.rows(found[name], name, first, len(own)))
        else:
            whole = slices.rows(found[name], name, 0, len(value)).to(device, value.dtype)
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, nn.Parameter(whole, requires_grad=False))
    model.tie_weights()
    for name, buffer in model.named_buffers():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, buffer.to(device))
