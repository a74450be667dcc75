"""The layer's formula, its independence of other rows, and the published layer's numbers."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from engine.errors import ConfigError
from engine.teacher.lora.moe_lora import MoELoRALinear, SharedInput, adapt, adapters
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


class Dispatches(TorchDispatchMode):
    """The operations inside, and those among them that compute something."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []
        self.kernels: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.all.append(func.__name__)
        if not func.is_view:
            self.kernels.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_dispatches_at_most_8_and_16_operations_of_which_4_and_9_compute(bias: bool) -> None:
    made, (x, gate) = layer(bias=bias), batch()
    with made.routing.of(gate.requires_grad_()):
        made(x)  # makes what all layers of a step share
        held = made.routing.batch
        assert held is not None and held.copies is not None
        with Dispatches() as forward:
            y = made(x.requires_grad_())
        inputs = [x, held.channels(held.weights, 4, 4.0), *held.copies[made.group]]
        with Dispatches() as backward:
            gradients = torch.autograd.grad(y, inputs, torch.ones_like(y))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert len(forward.all) <= 8 and len(forward.kernels) <= 4, forward.all
    assert len(backward.all) <= 16 and len(backward.kernels) <= 9, backward.all


def test_the_experts_of_all_layers_are_cast_at_once_and_once_a_step() -> None:
    routing, model = Routing(), nn.Sequential(*(nn.Linear(6, 6) for _ in range(5))).bfloat16()
    adapt(model, ["all"], 4, 2, 8.0, 0.0, routing)
    x, gate = torch.randn(3, 4, 6).bfloat16(), batch()[1].float()
    with routing.of(gate), Dispatches() as twice:
        model(model(x)).float().sum().backward()
    assert twice.all.count("_foreach_copy_.default") == 2  # the casts, and those of their gradients


def old_formula(made: MoELoRALinear, x: Tensor, gate: Tensor) -> Tensor:
    channels = gate.repeat_interleave(len(made.lora_a) // gate.shape[1], dim=1)[:, None]
    return made.base(x) + (x @ made.lora_a.T * channels) @ (made.scale * made.lora_b).T


NAMES = ("q_proj", "k_proj", "v_proj")


class Attention(nn.Module):
    """Three maps that read the same input, or the first one another input."""

    def __init__(self) -> None:
        super().__init__()
        for name, width in zip(NAMES, (5, 3, 4), strict=True):
            self.add_module(name, nn.Linear(6, width))

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        first = x if other is None else other
        return torch.cat([self.q_proj(first), self.k_proj(x), self.v_proj(x)], dim=2)


def attention(dropout: float = 0.0) -> tuple[Attention, Routing, list[MoELoRALinear]]:
    torch.manual_seed(0)
    model, routing = Attention(), Routing()
    adapt(model, ["all"], 4, 2, 8.0, dropout, routing)
    layers = [made for _, made in adapters(model)]
    for made in layers:
        nn.init.normal_(made.lora_b)
    return model.double(), routing, layers


@pytest.mark.parametrize("other", [False, True], ids=["one input", "two inputs"])
def test_maps_with_a_shared_input_equal_maps_one_by_one_in_outputs_and_gradients(other: bool) -> None:
    model, routing, layers = attention()
    x, gate = batch()
    inputs = [x.requires_grad_(), gate.requires_grad_()]
    first = x * 2 if other else None
    with routing.of(gate):
        got = model(x, first)
    expected = torch.cat(
        [old_formula(made, x if k or first is None else first, gate) for k, made in enumerate(layers)], 2
    )
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    learned = [value for made in layers for value in (made.lora_a, made.lora_b)]
    weights = torch.randn_like(got)
    for one, two in zip(
        torch.autograd.grad((got * weights).sum(), inputs + learned, retain_graph=True),
        torch.autograd.grad((expected * weights).sum(), inputs + learned),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)
    assert len({id(made.group) for made in layers}) == (3 if other else 1)


def test_maps_with_a_shared_input_take_one_product_of_their_as_and_an_unused_output_no_gradient() -> None:
    model, routing, layers = attention()
    x, gate = batch()
    with routing.of(gate), Dispatches() as forward:
        model.q_proj(x), model.k_proj(x), model.v_proj(x)
    assert forward.all.count("mm.default") + forward.all.count("addmm.default") == 1 + 3  # A's, and each B
    with routing.of(gate):
        y = model.q_proj(x)
        model.k_proj(x)
    y.sum().backward()
    assert layers[0].lora_b.grad is not None and layers[1].lora_b.grad is None


def test_each_map_of_a_group_drops_out_channels_of_its_own_in_the_order_of_the_maps() -> None:
    model, routing, layers = attention(dropout=0.5)
    x, gate = batch()
    torch.manual_seed(5)
    with routing.of(gate):
        together = model.train()(x)
    for made in layers:
        SharedInput([made]).register()
    torch.manual_seed(5)
    with routing.of(gate):
        alone = model(x)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler looks at that of every input
def test_a_compiler_sees_plain_operations_with_the_same_result() -> None:
    made, (x, gate) = layer(), batch()
    inputs = [x.requires_grad_(), gate.requires_grad_(), made.lora_a, made.lora_b]
    expected = torch.autograd.grad(run(made, x, gate).square().sum(), inputs)
    compiled = torch.compile(made, backend="aot_eager", fullgraph=True)
    with made.routing.of(gate):
        got = torch.autograd.grad(compiled(x).square().sum(), inputs)
    for one, two in zip(got, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


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
