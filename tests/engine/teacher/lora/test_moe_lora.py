"""The layer's formula, its independence of other rows, and the published layer's numbers."""

import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.errors import ConfigError
from engine.teacher.lora.moe_lora import MoELoRALinear, adapt, adapters
from engine.teacher.lora.routing import Routing

GOLDEN = os.environ.get("ENGINE_GOLDEN")


def layer(
    rank: int = 4, experts: int = 2, alpha: float = 8.0, dropout: float = 0.0, bias: bool = True
) -> MoELoRALinear:
    torch.manual_seed(0)
    made = MoELoRALinear(nn.Linear(6, 5, bias=bias), rank, experts, alpha, dropout, Routing()).double()
    nn.init.normal_(made.lora_b)
    return made.double()


def batch(rows: int = 3, experts: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(rows, 4, 6).double(), torch.randn(rows, experts).double().softmax(dim=1)


def run(made: MoELoRALinear, x: Tensor, gate: Tensor) -> Tensor:
    with made.routing.of(gate):
        return made(x)


def test_output_matches_the_formula_in_a_float64_loop() -> None:
    made, (x, gate) = layer(), batch()
    got = run(made, x, gate)
    share = 2
    weight, bias = made.base.weight, made.base.bias
    for b in range(3):
        for t in range(4):
            for o in range(5):
                y = bias[o].item() + sum(weight[o, i].item() * x[b, t, i].item() for i in range(6))
                for e in range(2):
                    for r in range(e * share, (e + 1) * share):
                        low = sum(made.lora_a[r, i].item() * x[b, t, i].item() for i in range(6))
                        y += 8.0 / share * gate[b, e].item() * made.lora_b[o, r].item() * low
                assert math.isclose(got[b, t, o].item(), y, rel_tol=1e-9)


def test_gradients_match_finite_differences() -> None:
    made, (x, gate) = layer(), batch()

    def function(x: Tensor, gate: Tensor, a: Tensor, b: Tensor) -> Tensor:
        with made.routing.of(gate):
            return torch.func.functional_call(made, {"lora_a": a, "lora_b": b}, (x,))

    inputs = (x, gate, made.lora_a.detach(), made.lora_b.detach())
    assert torch.autograd.gradcheck(function, tuple(value.clone().requires_grad_() for value in inputs))


def test_a_new_layer_is_the_frozen_layer() -> None:
    made, (x, gate) = layer(), batch()
    nn.init.zeros_(made.lora_b)
    torch.testing.assert_close(run(made, x, gate), made.base(x))


def test_with_its_experts_off_a_layer_is_the_frozen_layer() -> None:
    made, (x, gate) = layer(), batch()
    with made.routing.of(gate), made.routing.off():
        assert torch.equal(made(x), made.base(x))
    assert (run(made, x, gate) != made.base(x)).any()


def test_changing_one_rows_gate_changes_that_rows_output_and_no_other() -> None:
    made, (x, gate) = layer(), batch()
    other = gate.clone()
    other[1] = other[1].flip(0)
    before, after = run(made, x, gate), run(made, x, other)
    assert (before[1] != after[1]).any()
    assert torch.equal(before[[0, 2]], after[[0, 2]])


def test_a_batch_of_two_equals_two_batches_of_one() -> None:
    made, (x, gate) = layer(), batch(2)
    alone = [run(made, x[k : k + 1], gate[k : k + 1]) for k in range(2)]
    torch.testing.assert_close(run(made, x, gate), torch.cat(alone))


def test_uniform_gates_equal_plain_lora() -> None:
    """With weights 1/E the scale alpha / (R / E) becomes alpha / R, the scale of a LoRA without experts."""
    made, (x, _) = layer(), batch()
    uniform = torch.full((3, 2), 0.5).double()
    plain = made.base(x) + 8.0 / 4 * x @ made.lora_a.T @ made.lora_b.T
    torch.testing.assert_close(run(made, x, uniform), plain)


def test_only_the_experts_and_the_gate_learn() -> None:
    made, (x, gate) = layer(), batch()
    gate.requires_grad_()
    run(made, x, gate).square().sum().backward()
    assert made.base.weight.grad is None and made.base.bias.grad is None
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in (made.lora_a, made.lora_b, gate))


def test_dropout_acts_in_training_only_and_keeps_the_mean() -> None:
    made, (x, gate) = layer(dropout=0.5), batch()
    made.eval()
    quiet = run(made, x, gate)
    assert torch.equal(quiet, run(made, x, gate))
    made.train()
    step_generator = torch.stack([run(made, x, gate) for _ in range(4000)])
    assert (step_generator[0] != quiet).any()
    assert (step_generator.mean(dim=0) - quiet).abs().max() < 6 * step_generator.std(dim=0).max() / math.sqrt(4000)


def test_missing_or_wrong_expert_weights_are_an_error_with_a_remedy() -> None:
    made, (x, gate) = layer(), batch()
    with pytest.raises(RuntimeError, match="3 sequences are needed, but none were"):
        made(x)
    with pytest.raises(RuntimeError, match=r"6 sequences.*3 were.*beams=k"):
        run(made, x.repeat(2, 1, 1), gate)


def test_beams_repeat_each_rows_gate() -> None:
    made, (x, gate) = layer(), batch()
    with made.routing.of(gate, beams=2):
        beams = made(x.repeat_interleave(2, dim=0))
    torch.testing.assert_close(beams, run(made, x, gate).repeat_interleave(2, dim=0))


def test_gradient_checkpointing_recomputes_with_the_gates_of_its_own_forward() -> None:
    made, (x, gate) = layer(), batch()

    def gradients(checkpointed: bool) -> list[Tensor]:
        made.zero_grad()
        weights = gate.clone().requires_grad_()
        with made.routing.of(weights):
            if checkpointed:
                inner = checkpoint(made, x, use_reentrant=False, context_fn=made.routing.checkpoint_contexts)
            else:
                inner = made(x)
            loss = inner.square().sum()
        with made.routing.of(gate.flip(1)):  # another batch is in flight when backward recomputes
            loss.backward()
        return [value.grad.clone() for value in (made.lora_a, made.lora_b, weights) if value.grad is not None]

    for plain, again in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(again, plain, rtol=0, atol=0)


def test_bfloat16_is_close_to_float32() -> None:
    made, (x, gate) = layer().float(), batch()
    exact = run(made, x.float(), gate.float())
    made.base.bfloat16()
    assert (
        torch.nn.functional.cosine_similarity(run(made, x.float(), gate.float()).float(), exact, dim=-1).min() > 0.999
    )
    made.zero_grad()
    run(made, x.bfloat16(), gate.float()).float().square().sum().backward()
    assert made.lora_a.grad is not None and made.lora_a.grad.dtype == torch.float32


def test_a_rank_that_the_experts_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"rank of 8 .* 3 experts[\s\S]*rank=6"):
        layer(rank=8, experts=3)


def test_adapting_names_what_there_is_when_a_target_is_missing() -> None:
    model = nn.Sequential()
    model.add_module("q_proj", nn.Linear(3, 3))
    with pytest.raises(ConfigError, match=r"'k_proj'[\s\S]*It has: q_proj"):
        adapt(model, ["k_proj"], 2, 2, 1.0, 0.0, Routing())


def test_adapting_all_finds_every_linear_map_and_freezes_the_rest() -> None:
    model = nn.ModuleDict({"q_proj": nn.Linear(3, 3), "mlp": nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))})
    assert adapt(model, ["all"], 2, 2, 1.0, 0.0, Routing()) == ["q_proj", "mlp.0"]
    assert len(list(adapters(model))) == 2
    learning = {name.rpartition(".")[2] for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {"lora_a", "lora_b"}


CASES = ["e1_r8_a32", "e4_r16_a32", "e4_r4_a16", "e4_r8_a32", "e4_r8_a32_bias", "e8_r16_a32", "e8_r8_a32"]


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
@pytest.mark.parametrize("suffix", ["", "_f64"])
@pytest.mark.parametrize("case", CASES)
def test_the_published_layers_numbers(case: str, suffix: str) -> None:
    golden = load_file(Path(GOLDEN or "") / f"moelora_linear_{case}.safetensors")
    dtype = torch.float64 if suffix else torch.float32
    value = {name: tensor.to(dtype) for name, tensor in golden.items() if not name.endswith("_f64")}
    experts, alpha = int(case[1]), float(case.split("_")[2][1:])
    base = nn.Linear(value["x"].shape[-1], value["y"].shape[-1], bias="bias" in value)
    made = MoELoRALinear(base, len(value["lora_A"]), experts, alpha, 0.0, Routing()).to(dtype)
    state = {"base.weight": value["weight"], "lora_a": value["lora_A"], "lora_b": value["lora_B"]}
    made.load_state_dict(state | ({"base.bias": value["bias"]} if "bias" in value else {}))
    x, gate = value["x"].requires_grad_(), value["gate"][:, 0].clone().requires_grad_()
    y = run(made, x, gate)
    y.backward(value["grad_out"])
    near = {"rtol": 1e-9, "atol": 1e-12} if suffix else {"rtol": 1e-4, "atol": 1e-5}
    found = {
        "y": y,
        "grad_x": x.grad,
        "grad_gate": gate.grad,
        "grad_lora_A": made.lora_a.grad,
        "grad_lora_B": made.lora_b.grad,
    }
    for name, tensor in found.items():
        assert tensor is not None
        torch.testing.assert_close(tensor.reshape(golden[name].shape), golden[name + suffix], **near)
