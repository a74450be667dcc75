"""Names of the tensors in ``held_out.safetensors``, also as earlier versions wrote them."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

EARLIER_NAMES = {"liking": "popularity"}


def named(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a file of any version under today's names."""
    return {EARLIER_NAMES.get(name, name): tensor for name, tensor in tensors.items()}
