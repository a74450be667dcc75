"""Names of the tensors in ``held_out.safetensors``, also as earlier versions wrote them."""

from collections.abc import Mapping
from typing import SupportsFloat, TypeVar

T = TypeVar("T")

EARLIER_NAMES = {"liking": "popularity"}
PREFIX = "untrained/"  # before the name of a model without training, whose weight in a mixture the tensor is


def named(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a file of any version under today's names."""
    return {EARLIER_NAMES.get(name, name): tensor for name, tensor in tensors.items()}


def weights_in(tensors: Mapping[str, SupportsFloat]) -> dict[str, float]:
    """Weight of each model without training that these tensors name."""
    found = {name: value for name, value in tensors.items() if name.startswith(PREFIX)}
    return {name.removeprefix(PREFIX): float(value) for name, value in found.items()}
