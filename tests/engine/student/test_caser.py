"""Caser by loops, and a start in which both halves can learn."""

from collections.abc import Callable

import pytest
import torch

from engine.config.settings.student import StudentSettings
from engine.student.caser import Caser
from engine.student.dropout import RandomStream
from engine.student.model import SequenceModel
from engine.student.packed_sequences import of_histories

Settings = Callable[..., StudentSettings]
CASER = {"model": "caser", "filters": 3, "heights": [2, 3]}


def test_a_state_is_the_convolutions_over_the_history_from_slot_zero_on(settings: Settings) -> None:
    torch.manual_seed(0)
    network = Caser(20, settings(initial=1.0, max_length=5, **CASER), RandomStream()).double().eval()
    history = torch.tensor([[7, 3, 9]])
    packed, _ = of_histories(history)
    found = network(history[0], packed, network.inputs())
    for position in range(3):
        image = torch.zeros(5, 16, dtype=torch.float64)
        image[: position + 1] = network.table[history[0, : position + 1]]
        parts = []
        for convolution in network.horizontal:
            weight, bias = convolution.weight, convolution.bias  # [F, D, height]
            height = weight.shape[2]
            for f in range(3):
                sums = [(weight[f].T * image[t : t + height]).sum() + bias[f] for t in range(5 - height + 1)]
                parts.append(torch.stack(sums).clamp(min=0).max())
        vertical = (network.vertical.weight[0][:, None] * image).sum(dim=0) + network.vertical.bias
        expected = torch.cat([torch.stack(parts), vertical.clamp(min=0)])
        torch.testing.assert_close(found[position], expected)


@pytest.mark.parametrize("seed", range(6))
def test_both_halves_of_caser_can_learn_from_the_first_step_on(settings: Settings, seed: int) -> None:
    torch.manual_seed(seed)
    student = settings(initial=0.02, max_length=50, hidden=64, **CASER)
    states = SequenceModel(200, student).eval().user_vectors(torch.randint(1, 201, (40, 12)))
    vertical = states[:, -64:]
    assert 0.2 < (vertical > 0).float().mean() < 0.8
