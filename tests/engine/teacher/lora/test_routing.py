"""Expert weights are there inside their block and nowhere else."""

import pytest
import torch

from engine.teacher.lora.routing import Routing


def test_weights_are_gone_after_their_block_also_when_it_fails() -> None:
    routing = Routing()
    with pytest.raises(KeyError), routing.of(torch.zeros(2, 3)):
        assert len(routing.weights((2, 5))) == 2
        raise KeyError
    with pytest.raises(RuntimeError, match="none were set"):
        routing.weights((2, 5))


def test_an_inner_block_gives_the_outer_ones_weights_back() -> None:
    routing, outer = Routing(), torch.zeros(2, 3)
    with routing.of(outer):
        with routing.of(torch.ones(1, 3)):
            assert routing.weights((1, 5)).sum() == 3
        assert routing.weights((2, 5)) is outer


def test_switched_off_experts_are_not_used_even_inside_a_block() -> None:
    routing = Routing()
    with routing.of(torch.zeros(2, 3)), routing.off():
        assert routing.weights((2, 5)) is None and routing.weights((7, 5)) is None
    with pytest.raises(RuntimeError, match="none were set"):
        routing.weights((2, 5))
