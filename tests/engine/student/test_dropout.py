"""What cheap dropout has in common with the real one."""

import numpy as np
import pytest
import torch

from engine.student.dropout import Dropout, RandomStream


def made(rate: float) -> Dropout:
    stream = RandomStream()
    stream.start(7, 0)
    return Dropout(rate, stream)


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_is_kept(rate: float) -> None:
    out = made(rate)(torch.ones(1000, 401))
    error = 4 * np.sqrt(rate * (1 - rate) / out.numel())  # four standard errors
    assert float((out == 0).double().mean()) == pytest.approx(rate, abs=error + 2**-16)
    assert float(out.double().mean()) == pytest.approx(1.0, abs=error / (1 - rate))


def test_neighbouring_entries_are_dropped_independently() -> None:
    kept = (made(0.5)(torch.ones(200_000)) != 0).double()
    for distance in (1, 2, 3, 4, 8, 64):
        both = float((kept[:-distance] * kept[distance:]).mean())
        assert both == pytest.approx(0.25, abs=0.006)


def test_what_survives_is_scaled_and_so_is_its_gradient() -> None:
    dropout, x = made(0.25), torch.full((400,), 3.0, requires_grad=True)
    out = dropout(x)
    out.sum().backward()
    assert set(out.detach().unique().tolist()) == {0.0, 4.0}
    assert x.grad is not None
    torch.testing.assert_close(x.grad, out.detach() / 3.0)


def test_adding_to_a_residual_is_dropout_and_a_sum() -> None:
    x, residual = torch.randn(50, 8), torch.randn(50, 8)
    torch.testing.assert_close(made(0.3).add(residual, x), residual + made(0.3)(x))


def test_the_same_start_gives_the_same_numbers_and_another_start_others() -> None:
    stream = RandomStream()
    stream.start(1, 5)
    first = stream.words(999).copy()
    stream.words(17)
    stream.start(1, 5)
    assert (stream.words(999) == first).all()
    stream.start(1, 6)
    assert (stream.words(999) != first).any()


def test_nothing_is_dropped_when_evaluating_or_at_rate_zero() -> None:
    x = torch.randn(30, 4)
    assert made(0.5).eval()(x) is x
    assert made(0.0)(x) is x
