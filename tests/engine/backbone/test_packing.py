"""Packed prompts are the prompts: where each token stands, and what attention makes of it."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from engine.backbone.packing import apart, few_sizes, pack

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=11).filter(any)


@given(LENGTHS, st.booleans())
def test_every_token_has_a_cell_of_its_own_and_padding_reads_filler(lengths: list[int], fixed: bool) -> None:
    length = np.asarray(lengths)
    real = int(length.sum())
    packing = pack(length, "cpu", real + 5, 12) if fixed else pack(length, "cpu")
    assert packing.prompt[:real].tolist() == np.repeat(np.arange(len(length)), length).tolist()
    assert packing.position[0, :real].tolist() == [column for size in lengths for column in range(size)]
    assert packing.tokens[packing.cells[:real]].tolist() == list(range(real))
    padding = np.setdiff1d(np.arange(len(packing.tokens)), packing.cells[:real].numpy())
    assert set(packing.tokens[padding].tolist()) == {len(packing.prompt) - 1}
    assert set(packing.cells[real:].tolist()) <= set(padding.tolist())
    assert len(packing.tokens) == sum(rows * width for rows, width in packing.grids)


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


@given(LENGTHS, st.booleans())
@example([0, 0, 0, 0, 0, 0, 0, 1], False)
def test_attention_and_its_gradients_are_those_of_each_prompt_alone(lengths: list[int], fixed: bool) -> None:
    length = np.asarray(lengths)
    real, ends = int(length.sum()), np.cumsum(length)
    packing = pack(length, "cpu", real + 3, 10) if fixed else pack(length, "cpu")
    torch.manual_seed(0)
    q, k, v = (torch.randn(len(packing.prompt), 2, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    got = apart(causal, packing, q, k, v)[:real]
    alone = [
        causal(*(part[end - size : end].transpose(0, 1)[None] for part in (q, k, v)))[0]
        for size, end in zip(lengths, ends, strict=True)
        if size
    ]
    torch.testing.assert_close(got, torch.cat(alone))
    weights = torch.randn_like(got)
    for one, two in zip(
        torch.autograd.grad((got * weights).sum(), (q, k, v)),
        torch.autograd.grad((torch.cat(alone) * weights).sum(), (q, k, v)),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


@given(LENGTHS)
def test_moves_between_padded_rows_and_packed_tokens_are_inverse(lengths: list[int]) -> None:
    length = np.asarray(lengths)
    packing = pack(length, "cpu")
    into, back = packing.moves(length, 10)
    rows = torch.arange(len(length) * 10) + 1
    again = rows[into][back].view(-1, 10)
    real = torch.arange(10) < torch.from_numpy(length)[:, None]
    assert torch.equal(again[real], rows.view(-1, 10)[real])


def test_packings_of_a_fixed_shape_can_take_over_each_others_content() -> None:
    first, second = pack(np.array([3, 5]), "cpu", 16, 8), pack(np.array([7, 1]), "cpu", 16, 8)
    assert first.shape == second.shape and not torch.equal(first.tokens, second.tokens)
    own = first.clone()
    own.copy_(second)
    assert torch.equal(own.tokens, second.tokens) and not torch.equal(first.tokens, second.tokens)


def test_prompts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="8 tokens do not fit into 8"):
        pack(np.array([3, 5]), "cpu", 8, 5)
    with pytest.raises(ValueError, match="a prompt into 4"):
        pack(np.array([3, 5]), "cpu", 16, 4)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12), st.integers(1, 4), st.sampled_from([1, 16]))
def test_few_sizes_waste_least(totals: list[int], most: int, multiple: int) -> None:
    found = few_sizes(totals, most, multiple)
    assert len(found) <= most and all(size % multiple == 0 for size in found)

    def whole(sizes: tuple[int, ...]) -> float:
        return sum(min((size for size in sizes if size >= total), default=np.inf) for total in totals)

    values = sorted({-(-total // multiple) * multiple for total in totals})
    best = min(whole(chosen) for chosen in combinations(values, min(most, len(values))))
    assert whole(tuple(found)) == best
