"""SASRec's parts against their formulas in float64."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from engine.config.settings.student import StudentSettings
from engine.student.dropout import Dropout, RandomStream
from engine.student.packed_sequences import of_histories
from engine.student.sasrec import Block, FeedForward, SASRec

Settings = Callable[..., StudentSettings]


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
def test_the_feed_forward_part_is_its_formula(activation: str) -> None:
    torch.manual_seed(0)
    part = FeedForward(4, 6, activation, Dropout(0.0, RandomStream())).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    inner = x @ part.wide.weight.T + part.wide.bias
    if activation == "swiglu":
        inner = inner[:, :6] * torch.sigmoid(inner[:, :6]) * inner[:, 6:]
    else:
        inner = inner.clamp(min=0) if activation == "relu" else inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    torch.testing.assert_close(part(x), inner @ part.narrow.weight.T + part.narrow.bias)


@pytest.mark.parametrize(("norm", "gated"), [("pre", False), ("pre", True), ("post", False)])
def test_a_block_joins_attention_and_feed_forward_as_its_norm_says(settings: Settings, norm: str, gated: bool) -> None:
    torch.manual_seed(0)
    block = Block(settings(norm=norm, gated=gated, heads=1), RandomStream()).eval()
    packed, _ = of_histories(torch.tensor([[3, 4, 5]]))
    given = x = torch.randn(3, 16)
    q, k, v = block.qkv(block.norm_attention(x) if norm == "pre" else x).chunk(3, dim=1)
    weights = (q @ k.T / 4).masked_fill(torch.ones(3, 3).triu(1) > 0, -torch.inf).softmax(dim=1)  # sqrt(16) = 4
    part = block.mix(weights @ v)
    x = x + (part * torch.sigmoid(block.gates[0](x)) if gated else part)
    x = x if norm == "pre" else block.norm_attention(x)
    part = block.feed(block.norm_feed(x) if norm == "pre" else x)
    x = x + (part * torch.sigmoid(block.gates[1](x)) if gated else part)
    torch.testing.assert_close(block(given, packed), x if norm == "pre" else block.norm_feed(x))


def test_the_padding_starts_at_zero_and_every_parameter_is_in_one_group(settings: Settings) -> None:
    network = SASRec(20, settings(), RandomStream())
    assert (network.table[0] == 0).all() and network.table.shape == (21, 16)
    grouped = [id(parameter) for group in network.groups().values() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    assert F.embedding(torch.tensor([0]), network.inputs()).abs().sum() == 0
