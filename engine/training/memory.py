"""Out of memory as an error with a remedy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from engine.errors import UserError

_NO_ROOM = "can't allocate memory"  # PyTorch's allocator of main memory, in a plain RuntimeError


@contextmanager
def enough(otherwise: Callable[[], UserError]) -> Iterator[None]:
    """Raises ``otherwise()`` when device or main memory is exhausted inside the block."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise otherwise() from error
    except RuntimeError as error:
        if _NO_ROOM not in str(error):
            raise
        raise otherwise() from error


def smaller(key: str, value: int, what: str) -> UserError:
    """The error of a batch-size setting, whose remedy is half of its value."""
    if value == 1:
        return UserError(f"one {what} does not fit into memory", location=key, remedy="Use shorter prompts or a GPU.")
    return UserError(f"{value} {what}s do not fit into memory at once", location=key, remedy=f"Try {key}={value // 2}.")


def smaller_batch(stage: str, prompts: int, tokens: int | None) -> UserError:
    """The error of a stage whose batches have a number of prompts, or of ``tokens``."""
    if tokens is None:
        return smaller(f"{stage}.batch", prompts, "prompt")
    return smaller(f"{stage}.batch_tokens", tokens, "token")
