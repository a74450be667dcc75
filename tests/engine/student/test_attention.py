"""Hand-written attention against a float64 loop and PyTorch's own."""

import math

import pytest
import torch
from torch import Tensor

from engine.student import attention
from engine.student.attention import causal_attention
from engine.student.dropout import Dropout, RandomStream
from engine.student.packed_sequences import dense, ragged


def none() -> Dropout:
    return Dropout(0.0, RandomStream())


def loop(qkv: Tensor, lengths: list[int], heads: int) -> Tensor:
    """softmax over the past, one history, head and position at a time."""
    width = qkv.shape[1] // 3
    size = width // heads
    out, first = torch.zeros(len(qkv), width, dtype=qkv.dtype), 0
    for length in lengths:
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (qkv[first : first + length, kind * width :][:, part] for kind in range(3))
            for t in range(length):
                weights = torch.softmax(k[: t + 1] @ q[t] / math.sqrt(size), dim=0)
                out[first + t, part] = weights @ v[: t + 1]
        first += length
    return out


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("queries", [2, 64])
def test_values_and_gradients_are_those_of_a_loop(heads: int, queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "QUERIES", queries)
    lengths = [3, 1, 5]
    qkv = torch.randn(9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    grad = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    packed, _ = ragged(torch.tensor(lengths), 5)
    got, expected = causal_attention(qkv, packed, heads, none()), loop(qkv, lengths, heads)
    torch.testing.assert_close(got, expected)
    own, other = (torch.autograd.grad(out, qkv, grad)[0] for out in (got, expected))
    torch.testing.assert_close(own, other)


def test_full_grids_need_no_padding() -> None:
    qkv = torch.randn(6, 12, dtype=torch.float64)
    full, _ = ragged(torch.tensor([3, 3]), 3)
    torch.testing.assert_close(
        causal_attention(qkv, dense(2, 3, qkv.device), 2, none()), causal_attention(qkv, full, 2, none())
    )


def test_dropped_attention_weights_have_the_gradient_of_what_was_computed() -> None:
    stream = RandomStream()
    dropout = Dropout(0.4, stream)
    packed, _ = ragged(torch.tensor([4, 2]), 4)
    qkv = torch.randn(6, 12, dtype=torch.float64, requires_grad=True)

    def again(given: Tensor) -> Tensor:
        stream.start(1)
        return causal_attention(given, packed, 1, dropout)

    assert torch.autograd.gradcheck(again, (qkv,))
    assert not torch.allclose(again(qkv), causal_attention(qkv, packed, 1, none()))
