"""Scaled-dot-product attention that is causal by itself, without masks, on padded prompts and on packed ones.

Letters: B prompts, T tokens, N of packed prompts, D width of a head.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from engine.backbone.packing import Packing, apart

CAUSAL = "causal-sdpa"  # of this name the library knows no mask, so it makes none
WINDOWS = ("sliding_window", "attention_chunk_size")  # settings that limit how far back a token sees


def causal(config: Any, tokens: int) -> bool:
    """Whether attention over ``tokens`` is causal and nothing else."""
    reach = [getattr(config, name, None) for name in WINDOWS]
    return config._attn_implementation == "sdpa" and all(size is None or size >= tokens for size in reach)


def _attention(
    module: nn.Module,
    query: Tensor,  # [B, heads, T, D]
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    packing: Packing | None = None,
    **more: Any,
) -> tuple[Tensor, None]:  # [B, T, heads, D]
    """The library's scaled-dot-product attention without a mask, on the prompts of a packing one by one."""
    if packing is None:
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, None, **more)
        return found

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows: Tensor = sdpa_attention_forward(module, q, k, v, None, **more)[0]
        return rows

    packed = (part.transpose(1, 2)[0] for part in (query, key, value))  # [N, heads, D]
    return apart(attend, packing, *packed)[None], None


@contextmanager
def without_masks(model: Any, tokens: int) -> Iterator[None]:
    """Inside, scaled-dot-product attention is causal by itself wherever that is exact.

    The library would find out anew in every pass whether it needs a mask, which waits for the device, and would make
    one while a CUDA graph is captured.
    """
    config = model.base_model.config
    with attending(config, CAUSAL if causal(config, tokens) else config._attn_implementation):
        yield


@contextmanager
def attending(config: Any, implementation: str) -> Iterator[None]:
    """Inside, attention is computed in the library's way of this name."""
    before, config._attn_implementation = config._attn_implementation, implementation
    try:
        yield
    finally:
        config._attn_implementation = before


@contextmanager
def both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield


AttentionInterface.register(CAUSAL, _attention)
