"""Expert weights of the current batch: passed explicitly, checked against every batch, removed afterwards.

Letters: B sequences, E experts.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor


class Routing:
    """Holds the expert weights while the language model runs; one object is shared by all adapted layers.

    Outside ``with routing.of(weights):`` there are none, so a layer never uses the weights of another batch.
    """

    def __init__(self) -> None:
        self._weights: Tensor | None = None
        self._off = False

    @contextmanager
    def of(self, weights: Tensor, beams: int = 1) -> Iterator[None]:  # [B, E]
        """Sets the expert weights inside the block; each row is repeated ``beams`` times, as in generation."""
        before = self._weights
        self._weights = weights if beams == 1 else weights.repeat_interleave(beams, dim=0)
        try:
            yield
        finally:
            self._weights = before

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switches the experts off inside the block: the model is the frozen one."""
        before, self._off = self._off, True
        try:
            yield
        finally:
            self._off = before

    def weights(self, sequences: int) -> Tensor | None:  # -> [B, E]
        """The expert weights of a batch of ``sequences`` rows; None while the experts are off."""
        if self._off:
            return None
        held = self._weights
        if held is None or len(held) != sequences:
            have = "none were" if held is None else f"{len(held)} were"
            raise RuntimeError(
                f"expert weights for {sequences} sequences are needed, but {have} set: call the language model "
                "inside `with routing.of(weights):`, with beams=k when each row is repeated for k beams"
            )
        return held

    def checkpoint_contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """``context_fn`` of gradient checkpointing: a block recomputed in backward uses the weights of its forward."""
        held = self._weights
        return nullcontext(), nullcontext() if held is None else self.of(held)
