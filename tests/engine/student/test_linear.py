"""The form of a linear layer that a GPU computes, against PyTorch's own."""

import pytest
import torch

from engine.student.linear import Linear, linear


@pytest.mark.parametrize("narrow", [False, True])
def test_outputs_and_gradients_are_those_of_a_linear_layer(narrow: bool) -> None:
    torch.manual_seed(0)
    layer, x = Linear(5, 7), torch.randn(11, 5, requires_grad=True)
    inputs, wanted = [x, layer.weight, layer.bias], torch.randn(11, 7)
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        own, plain = linear(x, layer.weight, layer.bias), layer(x)
    assert own.dtype == plain.dtype
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if narrow else {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(own, plain, **tolerance)
    got, expected = (torch.autograd.grad((out.float() * wanted).sum(), inputs) for out in (own, plain))
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, **tolerance)
