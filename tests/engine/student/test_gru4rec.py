"""GRU4Rec by its recurrence."""

from collections.abc import Callable

import torch

from engine.config.settings.student import StudentSettings
from engine.student.dropout import RandomStream
from engine.student.gru4rec import GRU4Rec
from engine.student.packed_sequences import of_histories


def test_states_follow_the_recurrence_of_each_history_from_zero(settings: Callable[..., StudentSettings]) -> None:
    torch.manual_seed(0)
    network = GRU4Rec(20, settings(initial=1.0, model="gru4rec"), RandomStream()).double().eval()
    histories = torch.tensor([[7, 3, 9], [4, 0, 0]])
    packed, real = of_histories(histories)
    found = network(histories[real], packed, network.inputs())
    w_in, w_state, b_in, b_state = (
        getattr(network.gru, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    expected = []
    for history in ([7, 3, 9], [4]):
        state = torch.zeros(16, dtype=torch.float64)
        for item in history:
            (r_in, z_in, n_in), (r, z, n) = (
                (w_in @ network.table[item] + b_in).chunk(3),
                (w_state @ state + b_state).chunk(3),
            )
            update = torch.sigmoid(z_in + z)
            state = (1 - update) * torch.tanh(n_in + torch.sigmoid(r_in + r) * n) + update * state
            expected.append(state)
    torch.testing.assert_close(found, torch.stack(expected))
