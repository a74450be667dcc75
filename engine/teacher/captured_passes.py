"""The passes of the language model on batches of a few shapes: each is captured once as CUDA graphs and then replayed.

One launch replaces some thousands. On the processor the same object runs the passes anew instead, so that everything
around the graphs is tested there.
Letters: B prompts, T tokens, N of packed prompts, H width of the language model, E experts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.backbone.packing import Packing
from engine.errors import UserError

MOST = 8  # shapes that are captured, in training and without gradients; batches of others run as they are
TRIAL_RUNS = 2  # runs before a capture: libraries allocate and choose algorithms in the first one

# embeddings [B, T, H], expert weights [B, E] -> states [B, T, H]; packed prompts: [1, N, H] -> [1, N, H]
Body = Callable[[Tensor, Tensor, Packing | None], Tensor]


class CapturedPasses:
    """``body`` as a function that replays what it captured at a shape's first batch.

    The forward pass of a batch must be followed by its backward pass before the next forward: all graphs share memory.
    """

    def __init__(self, body: Body, parameters: Sequence[nn.Parameter]) -> None:
        """``parameters``: those that ``body`` reads and training changes, in place."""
        self._body, self._parameters = body, tuple(parameters)
        self._passes: dict[Any, _Pass] = {}
        self._pool: Any = None
        self.not_captured = 0  # batches that ran as they are

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The captured shapes: (B, T), or (1, N) for packed prompts."""
        return sorted({key[0] for key in self._passes})

    def __call__(self, embeddings: Tensor, weights: Tensor, packing: Packing | None = None) -> Tensor:
        """The states; their gradients reach the embeddings, the expert weights and the parameters."""
        learns = torch.is_grad_enabled()
        needs = (learns and embeddings.requires_grad, learns and weights.requires_grad)
        kinds = embeddings.dtype, weights.dtype, None if packing is None else packing.shape
        key = (embeddings.shape[0], embeddings.shape[1]), kinds, learns, needs
        found = self._passes.get(key)
        if found is None:
            if sum(known[2] == learns for known in self._passes) >= MOST:
                self.not_captured += 1
                return self._body(embeddings, weights, packing)
            inputs = (
                embeddings.detach().clone().requires_grad_(needs[0]),
                weights.detach().clone().requires_grad_(needs[1]),
            )
            kind = _Graphs if embeddings.is_cuda else _Pass
            if embeddings.is_cuda and self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            own = None if packing is None else packing.clone()
            found = self._passes[key] = kind(self._body, inputs, own, self._parameters if learns else (), self._pool)
        if not learns:
            return found.forward(packing, embeddings, weights).clone()
        replayed: Callable[..., Tensor] = _Replayed.apply
        return replayed(found, packing, embeddings, weights, *self._parameters)


class _Pass:
    """Forward and backward of one shape, run anew each time."""

    def __init__(
        self,
        body: Body,
        inputs: tuple[Tensor, Tensor],
        packing: Packing | None,
        parameters: Sequence[nn.Parameter],
        pool: Any,
    ) -> None:
        self._body, self._inputs, self._packing, self._learns = body, inputs, packing, len(parameters) > 0
        self._leaves = [*(value for value in inputs if value.requires_grad), *parameters]
        self._out = torch.empty(0)
        self._grads: tuple[Tensor | None, ...] = ()

    def forward(self, packing: Packing | None, *values: Tensor) -> Tensor:
        """The states, in memory that the next forward pass of this shape overwrites."""
        if self._packing is not None and packing is not None:
            self._packing.copy_(packing)
        with torch.no_grad():
            for own, value in zip(self._inputs, values, strict=True):
                own.copy_(value)
        self._run_forward()
        return self._out.detach()

    def backward(self, dy: Tensor) -> list[Tensor | None]:
        """Gradients of the inputs and the parameters, in memory that the next backward pass overwrites."""
        self._run_backward(dy)
        grads = iter(self._grads)
        first = [next(grads) if value.requires_grad else None for value in self._inputs]
        return [*first, *grads]

    def _run_forward(self) -> None:
        with torch.set_grad_enabled(self._learns):
            self._out = self._body(*self._inputs, self._packing)

    def _run_backward(self, dy: Tensor) -> None:
        with torch.autocast(self._out.device.type, enabled=False):  # as where a loss calls it
            self._grads = torch.autograd.grad(self._out, self._leaves, dy, allow_unused=True)


class _Graphs(_Pass):
    """Forward and backward of one shape as two CUDA graphs."""

    def __init__(
        self,
        body: Body,
        inputs: tuple[Tensor, Tensor],
        packing: Packing | None,
        parameters: Sequence[nn.Parameter],
        pool: Any,
    ) -> None:
        super().__init__(body, inputs, packing, parameters, pool)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(TRIAL_RUNS):
                super()._run_forward()
                if self._learns:
                    super()._run_backward(torch.zeros_like(self._out))
        torch.cuda.current_stream().wait_stream(aside)
        self._grads, self._out = (), torch.empty(0)
        self._ahead, self._back = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self._ahead, pool=pool, capture_error_mode="thread_local"):
                super()._run_forward()
            if self._learns:
                self._dy = torch.zeros_like(self._out)
                with torch.cuda.graph(self._back, pool=pool, capture_error_mode="thread_local"):
                    super()._run_backward(self._dy)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(
                f"the language model's passes could not be captured as CUDA graphs ({error})",
                location="trainer.cuda_graph",
                remedy="Run without: trainer.cuda_graph=false.",
            ) from error
        self._out = self._out.detach()  # what the graphs hold stays in their pool

    def _run_forward(self) -> None:
        self._ahead.replay()

    def _run_backward(self, dy: Tensor) -> None:
        self._dy.copy_(dy)
        self._back.replay()


class _Replayed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, found: _Pass, packing: Packing | None, embeddings: Tensor, weights: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.found = found
        return found.forward(packing, embeddings, weights)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.found.backward(dy)
