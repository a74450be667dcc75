"""A GRU as the operator of ONNX: PyTorch's exporter would write one graph node for each event of an example.

Letters: B histories, T length, D width.
"""

import copy

import torch
from torch import Tensor, nn

from engine.shipping.ranking_graph import RankingGraph
from engine.student.gru4rec import GRU4Rec


class OnnxGRU(nn.Module):
    """The weights of a ``torch.nn.GRU`` of one layer, called as it is. Only an exported graph computes with it."""

    inputs: Tensor  # [1, 3D, D]: one direction
    states: Tensor  # [1, 3D, D]
    biases: Tensor  # [1, 6D]

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.hidden = gru.hidden_size
        given = dict(gru.named_parameters())
        self.register_buffer("inputs", _ordered(given["weight_ih_l0"])[None])
        self.register_buffer("states", _ordered(given["weight_hh_l0"])[None])
        self.register_buffer(
            "biases", torch.cat([_ordered(given[name]) for name in ("bias_ih_l0", "bias_hh_l0")])[None]
        )

    def forward(self, grid: Tensor) -> tuple[Tensor, None]:  # [B, T, D] -> [B, T, D]
        """All states of each history, from a first state of zeros."""
        steps = grid.transpose(0, 1)  # the operator reads [T, B, D]
        found = torch.onnx.ops.symbolic(
            "GRU",
            (steps, self.inputs, self.states, self.biases),
            {
                "hidden_size": self.hidden,
                "linear_before_reset": 1,
            },  # the reset gate after the product, as PyTorch has it
            dtype=grid.dtype,
            shape=(steps.shape[0], 1, steps.shape[1], self.hidden),
        )
        return found[:, 0].transpose(0, 1), None


def exportable(graph: RankingGraph) -> RankingGraph:
    """The graph, or a copy of it whose recurrent layer has a form in ONNX."""
    if not isinstance(graph.model.network, GRU4Rec):
        return graph
    graph = copy.deepcopy(graph)
    network = graph.model.network
    assert isinstance(network, GRU4Rec)
    network.gru = OnnxGRU(network.gru)  # type: ignore[assignment]
    return graph


def _ordered(gates: Tensor) -> Tensor:  # [3D, ...] -> [3D, ...]
    """Reset, update, new, as PyTorch has them, as update, reset, new, as ONNX has them."""
    reset, update, new = gates.detach().chunk(3)
    return torch.cat([update, reset, new])
