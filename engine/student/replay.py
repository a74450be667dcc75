"""The network on a GPU, for full grids of one size: compiled, or replayed as CUDA graphs.

Letters: B rows and T columns of the grid, D width, n items.
"""

import torch
from torch import Tensor, nn

from engine.config.settings.trainer import TrainerSettings
from engine.student.packed_sequences import PackedSequences, dense


class Replay:
    """A network's forward and backward pass on grids of ``rows`` x ``length``, each recorded once as a CUDA graph.

    Loss and optimizer stay outside: a handful of launches. The network must be on the GPU and in training mode.
    """

    def __init__(self, network: nn.Module, inputs: Tensor, rows: int, length: int, half: bool) -> None:
        self.rows, self._half = rows, half
        packed = dense(rows, length, inputs.device)
        items = torch.zeros(rows * length, dtype=torch.long, device=inputs.device)
        sample = (items, inputs.detach().clone().requires_grad_())
        with self._types():
            self._recorded = torch.cuda.make_graphed_callables(
                _OneLayout(network, packed), sample, allow_unused_input=True
            )

    def fits(self, packed: PackedSequences) -> bool:
        """Whether a batch has the recorded shape: the last one of an epoch may be smaller."""
        return packed.cells is None and packed.rows == self.rows

    def __call__(self, items: Tensor, inputs: Tensor) -> Tensor:  # [B * T], [n + 1, D] -> [B * T, D]
        with self._types():
            states = self._recorded(items, inputs)
        assert isinstance(states, Tensor)
        return states

    def _types(self) -> torch.autocast:
        # Casts that were cached outside of a graph would be those of old weights.
        return torch.autocast("cuda", torch.bfloat16, enabled=self._half, cache_enabled=False)


class _OneLayout(nn.Module):
    """The network as a function of tensors alone."""

    def __init__(self, network: nn.Module, packed: PackedSequences) -> None:
        super().__init__()
        self.network, self._layout = network, packed

    def forward(self, items: Tensor, inputs: Tensor) -> Tensor:
        states: Tensor = self.network(items, self._layout, inputs)
        return states


def for_gpu(network: nn.Module, inputs: Tensor, trainer: TrainerSettings, rows: int, length: int) -> Replay | None:
    """Compile or record a network that is on a GPU, as ``trainer`` says."""
    network.train()
    if trainer.compile:
        network.compile()
    return Replay(network, inputs, rows, length, trainer.precision == "bf16-mixed") if trainer.cuda_graph else None
