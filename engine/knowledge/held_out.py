"""Names of the tensors in ``held_out.safetensors``, also as earlier versions wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from safetensors import safe_open

T = TypeVar("T")

EARLIER_NAMES = {"liking": "popularity"}
PREFIX = "untrained/"  # before the name of a model without training, whose weight in a mixture the tensor is


def named(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a file of any version under today's names."""
    return {EARLIER_NAMES.get(name, name): tensor for name, tensor in tensors.items()}


def weights_in(path: Path) -> dict[str, float]:
    """Weight of each model without training that the file names; nothing else of it is read."""
    with safe_open(path, "np") as file:
        names = [name for name in sorted(file.keys()) if name.startswith(PREFIX)]
        return {name.removeprefix(PREFIX): float(file.get_tensor(name)) for name in names}
