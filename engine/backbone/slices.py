"""A language model without weights, and weights read in slices from the files in which they lie."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.conversion_mapping import get_model_conversion_mapping

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


def without_weights(folder: Path, dtype: torch.dtype) -> Any:
    """The model of a folder's configuration: its parameters take no memory, its buffers are as they should be."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with _without_memory():
        models: Any = AutoModelForCausalLM
        model = models.from_config(config, dtype=dtype)
    return model.eval().requires_grad_(False)


@contextmanager
def _without_memory() -> Iterator[None]:
    """Parameters that a module gets inside of the block are on the device "meta"."""
    register: Any = nn.Module.register_parameter

    def on_meta(module: nn.Module, name: str, value: nn.Parameter | None) -> None:
        if value is not None and not value.is_meta:
            value = nn.Parameter(value.detach().to("meta"), requires_grad=False)
        register(module, name, value)

    switched: Any = nn.Module
    switched.register_parameter = on_meta
    try:
        yield
    finally:
        switched.register_parameter = register


def files(folder: Path) -> dict[str, Path]:
    """The file of each weight of a folder by the weight's name; empty where none are in safetensors files."""
    if (folder / INDEX).is_file():
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {name: folder / file for name, file in index["weight_map"].items()}
    if not (folder / SINGLE).is_file():
        return {}
    with safe_open(folder / SINGLE, framework="pt") as opened:
        return dict.fromkeys(opened.keys(), folder / SINGLE)


def obstacle(model: Any, found: dict[str, Path], dtype: torch.dtype) -> str | None:
    """Why a model's weights cannot be read from files as they are; None where they can."""
    if not found:
        return "they are not in safetensors files"
    if get_model_conversion_mapping(model, add_legacy=False):
        return f"those of a model of type {model.config.model_type} are converted when they are read"
    if dtype != torch.float32 and getattr(model, "_keep_in_fp32_modules", None):
        return "some of them stay in float32"
    needed = [name for name, _ in model.named_parameters()]
    kept = set(model.state_dict()) - {name for name, _ in model.named_parameters(remove_duplicate=False)}
    if kept:
        return f"beside them the model keeps {min(kept)}"
    missing = [name for name in needed if name not in found]
    return f"{missing[0]} has another name there" if missing else None


def rows(file: Path, name: str, first: int, count: int) -> Tensor:  # [count, ...]
    """Some rows of a weight; no more of the file is in memory afterwards."""
    with safe_open(file, framework="pt") as opened:
        part: Tensor = opened.get_slice(name)[first : first + count]
        return part.clone()
