"""The fused cross-entropy against float64 loops and PyTorch's own gradient."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.student import cross_entropy as fused
from engine.student.cross_entropy import cross_entropy


@pytest.fixture(autouse=True, params=["a processor's form", "a GPU's form"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are computed here: what a GPU does is no other arithmetic there."""
    if request.param == "a GPU's form":
        monkeypatch.setattr(fused, "_in_cache", fused._in_few_passes)


def case(dtype: torch.dtype = torch.float64, size: float = 0.5) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(3)
    states = torch.randn(11, 4, generator=random, dtype=dtype) * size
    table = torch.randn(8, 4, generator=random, dtype=dtype) * size
    targets = torch.randint(1, 8, (11,), generator=random)
    bias = torch.randn(8, generator=random, dtype=dtype)
    weights = torch.rand(11, generator=random, dtype=dtype)
    return states.requires_grad_(), table.requires_grad_(), targets, bias.requires_grad_(), weights


def test_it_is_the_formula_in_a_float64_loop() -> None:
    states, table, targets, bias, weights = (tensor.detach() for tensor in case())
    expected = 0.0
    for p in range(11):
        scores = {i: float(states[p] @ table[i] + bias[i]) for i in range(1, 8)}
        total = sum(math.exp(score) for score in scores.values())
        expected += float(weights[p]) * (math.log(total) - scores[int(targets[p])])
    got = cross_entropy(states, table, targets, bias, weights)
    assert math.isclose(got.item(), expected, rel_tol=1e-12)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_weights", [False, True])
@pytest.mark.parametrize("size", [0.5, 30.0])  # without and with the shift that keeps exp finite
def test_its_gradient_is_exact(
    with_bias: bool, with_weights: bool, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fused.SCORES_AT_ONCE, "cpu", 24)
    monkeypatch.setattr(fused, "_FEWEST_ROWS", 3)  # several chunks, the last one shorter
    states, table, targets, bias, weights = case(size=size)
    given, weight = (bias if with_bias else None), (weights if with_weights else None)
    inputs = [states, table] + ([bias] if with_bias else [])
    got = torch.autograd.grad(3.0 * cross_entropy(states, table, targets, given, weight), inputs)
    scores = states @ table.T + (bias if with_bias else 0.0)
    scores = scores.masked_fill(torch.arange(8) == 0, -torch.inf)
    plain = F.cross_entropy(scores, targets, reduction="none")
    expected = torch.autograd.grad(3.0 * (plain * (weights if with_weights else 1.0)).sum(), inputs)
    for own, other in zip(got, expected, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-10, atol=1e-12)


def test_large_scores_stay_finite_in_float32() -> None:
    states, table, targets, _, _ = case(torch.float32, size=200.0)
    loss = cross_entropy(states, table, targets)
    loss.backward()
    assert states.grad is not None and table.grad is not None
    assert torch.isfinite(loss) and torch.isfinite(states.grad).all() and torch.isfinite(table.grad).all()


def test_the_padding_neither_counts_nor_learns() -> None:
    states, table, targets, _, _ = case()
    loss = cross_entropy(states, table, targets)
    loss.backward()
    changed = table.detach().clone()
    changed[0] = 100.0
    assert cross_entropy(states, changed, targets).item() == pytest.approx(loss.item(), rel=1e-12)
    assert table.grad is not None and (table.grad[0] == 0).all()


def test_a_position_of_weight_zero_may_point_at_the_padding() -> None:
    states, table, targets, _, _ = case()
    targets, weights = targets.clone(), torch.ones(11, dtype=torch.float64)
    targets[4], weights[4] = 0, 0.0
    kept = torch.arange(11) != 4
    loss = cross_entropy(states, table, targets, None, weights)
    loss.backward()
    assert states.grad is not None and table.grad is not None
    assert loss.item() == pytest.approx(cross_entropy(states[kept], table, targets[kept]).item(), rel=1e-12)
    assert (states.grad[4] == 0).all() and (table.grad[0] == 0).all()


def test_bfloat16_states_give_the_float32_loss_to_their_precision() -> None:
    states, table, targets, _, _ = case(torch.float32)
    exact = cross_entropy(states, table, targets)
    rough = cross_entropy(states.bfloat16(), table, targets)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=2e-2)


def test_a_loss_beyond_float32s_exponents_is_large_and_its_gradient_right() -> None:
    states, table = torch.tensor([[200.0]], requires_grad=True), torch.tensor([[0.0], [1.0], [-1.0]])
    loss = cross_entropy(states, table, torch.tensor([2]))
    loss.backward()
    assert 87.0 < loss.item() <= 401.0 and states.grad is not None and states.grad.item() == pytest.approx(2.0)


def test_before_training_the_loss_is_near_ln_n() -> None:
    random = torch.Generator().manual_seed(0)
    states = F.layer_norm(torch.randn(500, 64, generator=random), (64,))
    table = torch.randn(1001, 64, generator=random) * 0.02
    targets = torch.randint(1, 1001, (500,), generator=random)
    assert cross_entropy(states, table, targets).item() / 500 == pytest.approx(math.log(1000), abs=0.05)
