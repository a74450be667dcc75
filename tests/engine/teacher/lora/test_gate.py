"""What every gate promises, and the published gates' numbers."""

import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.teacher.lora.gate import GATES, ResNetGate, SoftmaxGate, TopGate, balance, histogram, make_gate

GOLDEN = os.environ.get("ENGINE_GOLDEN")
golden = pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
NEAR = {"rtol": 1e-4, "atol": 1e-5}


def made(kind: str, norm: str = "group") -> nn.Module:
    torch.manual_seed(0)
    return make_gate(kind, 16, 4, 8, 2, norm)


def users(count: int = 5) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 16)


@pytest.mark.parametrize("kind", GATES)
def test_weights_are_a_distribution_over_experts(kind: str) -> None:
    weights = made(kind)(users())
    assert weights.shape == (5, 4) and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))


@pytest.mark.parametrize("kind", [kind for kind in GATES if "nois" not in kind and kind != "dropout"])
def test_a_users_gate_does_not_depend_on_who_else_is_in_the_training_batch(kind: str) -> None:
    gate = made(kind).train()
    torch.testing.assert_close(gate(users())[:2], gate(users()[:2]))


@pytest.mark.parametrize("kind", GATES)
def test_in_evaluation_a_user_always_gets_the_same_gate(kind: str) -> None:
    gate = made(kind).eval()
    assert torch.equal(gate(users()), gate(users()))


@pytest.mark.parametrize("kind", [kind for kind in GATES if kind != "uniform"])
def test_two_users_get_two_mixtures_and_the_gate_learns(kind: str) -> None:
    gate = made(kind)
    weights = gate(users())
    assert (weights[0] != weights[1]).any()
    weights[:, 0].sum().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in gate.parameters())


def test_noise_is_there_in_training_only() -> None:
    gate = made("noisy").train()
    given = users()
    assert (gate(given) != gate(given)).any()


def test_top_two_of_four_leaves_two_experts_exactly_zero() -> None:
    assert ((made("topk")(users()) == 0).sum(dim=1) == 2).all()


def test_the_released_router_depends_on_the_batch_while_training() -> None:
    gate = made("resnet1d", "batch").train()
    assert (gate(users())[:2] - gate(users()[:2])).abs().max() > 1e-4


def test_balance_of_even_and_of_collapsed_gates() -> None:
    load, entropy = balance(torch.full((3, 4), 0.25))
    assert load == [0.25] * 4 and entropy == pytest.approx(math.log(4))
    load, entropy = balance(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert load == [1.0, 0.0] and entropy == 0.0


def test_the_histogram_counts_every_row_once_for_each_expert() -> None:
    counts = histogram(torch.tensor([[0.0, 1.0], [0.49, 0.51], [0.26, 0.74]]), 4)
    assert counts == [[1, 2, 0, 0], [0, 0, 2, 1]]


@pytest.mark.real
@golden
def test_the_released_router_in_training_and_evaluation_with_gradients() -> None:
    vectors = load_file(Path(GOLDEN or "") / "router_resnet1d_e4.safetensors")
    gate = ResNetGate(4, "batch").train()

    def state(prefix: str) -> dict[str, Tensor]:
        chosen = {name.removeprefix(prefix): value for name, value in vectors.items() if name.startswith(prefix)}
        return {name.replace("gate.fc", "scores"): value for name, value in chosen.items()}

    gate.load_state_dict(state("state."))
    given = vectors["user_embeds"][:, 0].requires_grad_()
    weights = gate(given)
    torch.testing.assert_close(weights, vectors["gate_train"][:, 0], **NEAR)
    weights.backward(vectors["grad_out"][:, 0])
    torch.testing.assert_close(given.grad, vectors["grad_user_embeds"][:, 0], **NEAR)
    gradients = state("grad.")
    assert gradients.keys() == dict(gate.named_parameters()).keys()
    for name, value in gate.named_parameters():
        torch.testing.assert_close(value.grad, gradients[name], **NEAR)
    for name, value in state("state_after_train.").items():
        torch.testing.assert_close(gate.state_dict()[name], value, **NEAR)
    evaluated = gate.eval()(vectors["user_embeds"][:, 0])
    torch.testing.assert_close(evaluated, vectors["gate_eval_after_one_train_pass"][:, 0], **NEAR)


@pytest.mark.real
@golden
def test_the_small_published_gates() -> None:
    vectors = load_file(Path(GOLDEN or "") / "gating_variants_e4.safetensors")
    given = vectors["user_embeds"][:, 0]

    def check(name: str, gate: nn.Module, renamed: dict[str, str], output: str = "gate") -> None:
        gate.load_state_dict({own: vectors[f"{name}.state.{theirs}"] for own, theirs in renamed.items()})
        noise = (vectors[f"{name}.eps"][:, 0],) if f"{name}.eps" in vectors else ()
        torch.testing.assert_close(gate.eval()(given, *noise), vectors[f"{name}.{output}"][:, 0], **NEAR)

    for name, kind in (("Dense", "softmax"), ("Drop", "dropout"), ("Noise", "noisy")):
        check(name, make_gate(kind, 64, 4, 128, 2, "group"), {"scores.weight": "linear_layer.weight"})
    parts = {
        f"scores.{at}.{part}": f"linear_layer{k}.{part}" for k, at in ((1, 0), (2, 2)) for part in ("weight", "bias")
    }
    check("MLP", make_gate("mlp", 64, 4, 128, 2, "group"), parts)
    bare = {"scores.0.weight": "linear1.weight", "scores.2.weight": "linear2.weight"}
    check("MLP_noise", make_gate("noisy_mlp", 64, 4, 128, 2, "group"), bare)
    check("topK", TopGate(64, 4, 1), {"scores.weight": "linear_layer.weight"})
    check("topK", TopGate(64, 4, 2), {"scores.weight": "linear_layer.weight"}, "gate_k2")


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="softmx"):
        make_gate("softmx", 4, 2, 4, 1, "group")
    assert isinstance(make_gate("softmax", 4, 2, 4, 1, "group"), SoftmaxGate)
