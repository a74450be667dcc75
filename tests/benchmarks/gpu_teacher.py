"""Sections of ``gpu.py``: the MoE-LoRA layer and training steps of the teacher at three widths."""

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from gpu_counting import Row, counted, milliseconds
from torch import Tensor, nn
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from engine.teacher.lora.gate import make_gate
from engine.teacher.lora.moe_lora import MoELoRALinear, adapt
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Inputs, Teacher
from engine.teacher.objectives.generate import GenerateBatch, token_losses
from engine.teacher.prompting.tokenizer import NO_LABEL

WIDTHS = (640, 2048, 4096)
RANK, EXPERTS, USER, ANSWER = 16, 4, 64, 6  # ANSWER: tokens of each prompt that are learned
TOKENS = 9600  # of the layer's input, 32 prompts of 300
SMALL, LARGE = (16, 104), (64, 256)  # prompts and tokens of a step of Gemma's shape
OTHERS = (32, 256)  # and of the wider models


def product() -> float:
    """TFLOP/s of the card's own product of two bfloat16 matrices, 8192 x 8192."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / milliseconds(lambda: a @ b, repeats=10) / 1e9


def layer(cuda: bool) -> Iterator[Row]:
    """One layer's forward and backward pass beside those of the frozen map alone, with and without a CUDA graph."""
    for width in WIDTHS if cuda else (64,):
        forms = layer_forms(width, TOKENS if cuda else 120, "cuda" if cuda else "cpu")
        if not cuda:
            yield from counted("layer", forms["fused"])
            continue
        times = {}
        for name, work in forms.items():
            times[name] = milliseconds(work, repeats=20)
            times[f"{name}, replayed"] = milliseconds(captured(work), repeats=20)
        for name, taken in times.items():
            frozen = times["frozen" + ", replayed" * name.endswith(", replayed")]
            yield Row(f"{width} x {width}, {name}", taken, "ms")
            yield Row(f"{width} x {width}, {name} / frozen", taken / frozen, "x")


def layer_forms(width: int, tokens: int, device: str) -> dict[str, Callable[[], object]]:
    """Forward and backward of a layer's forms on one input."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    base = nn.Linear(width, width, bias=False, device=device, dtype=dtype).requires_grad_(False)
    made, prompts = MoELoRALinear(base, RANK, EXPERTS, 32.0, 0.0, Routing()), max(1, tokens // 300)
    nn.init.normal_(made.lora_b, std=0.01)
    gate = torch.randn(prompts, EXPERTS, device=device).softmax(dim=1).requires_grad_()
    x = torch.randn(prompts, tokens // prompts, width, device=device, dtype=dtype, requires_grad=True)
    dy = torch.randn_like(x)

    def fused() -> object:
        with made.routing.of(gate):
            return torch.autograd.grad(made(x), [x, gate, made.lora_a, made.lora_b], dy)

    forms: dict[str, Callable[[], object]] = {"frozen": lambda: torch.autograd.grad(base(x), x, dy), "fused": fused}
    if importlib.util.find_spec("peft") is not None:
        from peft import LoraConfig
        from peft.tuners.lora.layer import Linear

        about = LoraConfig(r=RANK, lora_alpha=32, lora_dropout=0.0)
        plain: Any = Linear(base, "default", config=about, r=RANK, lora_alpha=32)
        learned = [value for value in plain.parameters() if value.requires_grad]
        forms["peft, plain LoRA"] = lambda: torch.autograd.grad(plain(x), [x, *learned], dy)
    return forms


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """The same as one CUDA graph."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        held = work()

    def replay() -> object:
        graph.replay()
        return held

    return replay


def teacher(cuda: bool) -> Iterator[Row]:
    """Training steps: slots, gate, experts around every linear map, loss of the answers' tokens, AdamW."""
    if not cuda:
        yield from counted("step of two blocks", step_of(gemma(64, 2, 64), (4, 32), "cpu")[0])
        return
    peak = product()
    yield Row("the card's product", peak, "TFLOP/s")
    cases = [
        ("640x18, small batch", lambda: gemma(640, 18, 2048), SMALL),
        ("640x18", lambda: gemma(640, 18, 2048), LARGE),
        ("2048x6", lambda: llama(2048, 6), OTHERS),
        ("4096x6", lambda: llama(4096, 6), OTHERS),
    ]
    for name, make, shape in cases:
        for form in ("eager", "replayed"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            begin = time.perf_counter()
            step, weights = step_of(make(), shape, "cuda", form)
            for _ in range(2):
                step()
            torch.cuda.synchronize()
            ready = time.perf_counter() - begin
            yield from rates(f"{name}, {form}", milliseconds(step, repeats=5, rounds=3), weights, shape, peak)
            yield Row(f"{name}, {form}: until its third step", ready, "s")
            yield Row(f"{name}, {form}: peak memory", torch.cuda.max_memory_allocated() / 2**30, "GiB")
            del step


def rates(name: str, taken: float, weights: int, shape: Sequence[int], peak: float) -> Iterator[Row]:
    """What a step of ``taken`` milliseconds is worth."""
    tokens = shape[0] * shape[1]
    flops = 4 * weights * tokens / taken / 1e9
    yield Row(f"{name}: step", taken, "ms")
    yield Row(f"{name}: speed", 1000 * tokens / taken, "tokens/s")
    yield Row(f"{name}: products", flops, "TFLOP/s")
    yield Row(f"{name}: share of the card's product", 100 * flops / peak, "%")


def gemma(width: int, layers: int, feedforward: int) -> Any:
    """Random weights in the shape of Gemma 3 270M, with fewer tokens in its vocabulary."""
    config = Gemma3TextConfig(
        vocab_size=32_000 if width >= 640 else 100,
        hidden_size=width,
        intermediate_size=feedforward,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256 if width >= 640 else 16,
        sliding_window=512,
    )
    return Gemma3ForCausalLM(config)


def llama(width: int, layers: int) -> Any:
    """Random weights in the shape of a Llama."""
    config = LlamaConfig(
        vocab_size=4000,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=4096,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return LlamaForCausalLM(config)


def step_of(model: Any, shape: Sequence[int], device: str, form: str = "eager") -> tuple[Callable[[], object], int]:
    """A training step on one batch, and the number of weights in the model's blocks."""
    torch.manual_seed(0)
    model = model.eval().requires_grad_(False).to(device, torch.bfloat16 if device == "cuda" else torch.float32)
    weights = sum(value.numel() for value in model.base_model.layers.parameters())
    routing, (prompts, tokens) = Routing(), shape
    adapt(model.base_model, ["all"], RANK, EXPERTS, 32.0, 0.0, routing)
    gate = make_gate("softmax", USER, EXPERTS, 0, 2, "group")
    made = Teacher(model, routing, gate, Projector(USER, model.config.hidden_size), None).to(device).train()
    if form == "replayed":
        made.capture()
    ids = torch.randint(10, model.config.vocab_size, (prompts, tokens), device=device)
    labels = ids.clone()
    labels[:, : tokens - ANSWER] = NO_LABEL
    slots = torch.arange(5, ids.numel(), 12, device=device)
    users, vectors = (torch.randn(count, USER, device=device) for count in (prompts, len(slots)))
    batch = GenerateBatch(Inputs(ids, slots, vectors, users, None), labels, ids.numel(), 0.0)
    learned: list[Tensor] = [value for group in made.groups().values() for value in group]
    optimizer = torch.optim.AdamW(learned, lr=1e-4)

    def step() -> object:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
            loss = token_losses(made, batch, made.gates(users))[0].mean()
        loss.backward()
        return optimizer.step()

    return step, weights
