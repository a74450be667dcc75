import copy

import numpy as np
import pytest
import torch

from engine.shipping.ranking_graph import RankingGraph
from engine.shipping.recurrent_graph import OnnxGRU, exportable
from tests.engine.shipping.conftest import student


def test_the_weights_are_those_of_the_recurrence_in_the_order_of_onnx() -> None:
    """The operator's definition with linear_before_reset = 1, as a loop over the events."""
    gru = torch.nn.GRU(4, 4, batch_first=True)
    own = OnnxGRU(gru)
    grid = torch.randn(2, 5, 4)
    (w,), (r,), (b,) = (part.double() for part in (own.inputs, own.states, own.biases))
    read, recalled = b[:12], b[12:]
    state = torch.zeros(2, 4, dtype=torch.float64)
    for step in grid.double().unbind(1):
        (wz, wr, wh), (rz, rr, rh) = ((x @ m.T + c).chunk(3, 1) for x, m, c in ((step, w, read), (state, r, recalled)))
        update, reset = torch.sigmoid(wz + rz), torch.sigmoid(wr + rr)
        state = (1 - update) * torch.tanh(wh + reset * rh) + update * state
    np.testing.assert_allclose(state.numpy(), gru(grid)[0][:, -1].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(("kind", "same"), [("sasrec", True), ("gru4rec", False)])
def test_the_trained_model_keeps_its_own_layer(kind: str, same: bool) -> None:
    graph = RankingGraph(student(kind), 5, True).eval()
    before = copy.deepcopy(graph.state_dict())
    assert (exportable(graph) is graph) == same
    assert all(torch.equal(value, before[name]) for name, value in graph.state_dict().items())
    assert not any(isinstance(module, OnnxGRU) for module in graph.modules())
