"""Sections of ``gpu.py``: the MoE-LoRA layer and training steps of the teacher at three widths."""

import copy
import importlib.util
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from gpu_counting import Row, counted, milliseconds
from torch import Tensor, nn
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from engine import config
from engine.backbone.blocks import compile_blocks
from engine.backbone.pieces import Ints
from engine.backbone.slots import Vocabulary
from engine.data.sequences import Sequences
from engine.student.model import SequenceModel
from engine.teacher.build import TeacherSetup
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.head import RankHead
from engine.teacher.lora.gate import make_gate
from engine.teacher.lora.moe_lora import adapt, adapters
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Inputs, Teacher, packed
from engine.teacher.objectives.generate import GenerateBatch, token_losses
from engine.teacher.objectives.rank_collator import all_queries
from engine.teacher.prompting.spans import PromptSpans, even_batches, training_spans
from engine.teacher.prompting.tokenizer import NO_LABEL, PromptTokenizer
from engine.teacher.shapes import FewShapes, tight

WIDTHS = (640, 2048, 4096)
RANK, EXPERTS, USER, ANSWER = 16, 4, 64, 6  # ANSWER: tokens of each prompt that are learned
TOKENS = 9600  # of the layer's input, 32 prompts of 300
ITEMS = 1800


def product() -> float:
    """TFLOP/s of the card's own product of two bfloat16 matrices, 8192 x 8192."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / milliseconds(lambda: a @ b, repeats=10) / 1e9


def layer(cuda: bool) -> Iterator[Row]:
    """Forward and backward passes of one layer, and of q, k and v, beside those of the frozen maps alone.

    What all layers of a step share (casts of the experts, expert weights of the tokens) is made before.
    """
    for width in WIDTHS if cuda else (64,):
        for maps, what in ((1, "layer"), (3, "q, k, v")):
            forms = layer_forms(width, TOKENS if cuda else 120, "cuda" if cuda else "cpu", maps)
            if not cuda:
                yield from counted(what, forms["fused"])
                continue
            times = {}
            for name, work in forms.items():
                times[name] = milliseconds(work, repeats=20)
                times[f"{name}, replayed"] = milliseconds(captured(work), repeats=20)
            for name, taken in times.items():
                frozen = times["frozen" + ", replayed" * name.endswith(", replayed")]
                yield Row(f"{what} {width} x {width}, {name}", taken, "ms")
                yield Row(f"{what} {width} x {width}, {name} / frozen", taken / frozen, "x")


def layer_forms(width: int, tokens: int, device: str, maps: int) -> dict[str, Callable[[], object]]:
    """Forward and backward of the forms of some maps on one input."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    names, routing, prompts = ("q_proj", "k_proj", "v_proj")[:maps], Routing(), max(1, tokens // 300)
    frozen = nn.ModuleDict({name: nn.Linear(width, width, bias=False, device=device, dtype=dtype) for name in names})
    adapted = copy.deepcopy(frozen)
    adapt(adapted, ["all"], RANK, EXPERTS, 32.0, 0.0, routing)
    for _, made in adapters(adapted):
        nn.init.normal_(made.lora_b, std=0.01)
    gate = torch.randn(prompts, EXPERTS, device=device).softmax(dim=1).requires_grad_()
    x = torch.randn(prompts, tokens // prompts, width, device=device, dtype=dtype, requires_grad=True)
    dys = [torch.randn_like(x) for _ in names]
    for value in frozen.parameters():
        value.requires_grad_(False)
    with routing.of(gate):
        first = made(x)
        batch = routing.batch
    assert batch is not None and batch.copies is not None and first is not None
    channels = batch.channels(batch.weights, RANK, made.scale).detach().requires_grad_()
    batch._channels = batch.weights, channels
    batch.copies = {
        group: [value.detach().requires_grad_() for value in given] for group, given in batch.copies.items()
    }
    shared = [channels, *(value for given in batch.copies.values() for value in given)]

    def of(module: Any, *inputs: Any) -> object:
        return torch.autograd.grad([module[name](x) for name in names], inputs, dys)

    def fused() -> object:
        with routing._held(batch):
            return of(adapted, x, *shared)

    forms: dict[str, Callable[[], object]] = {"frozen": lambda: of(frozen, x), "fused": fused}
    if importlib.util.find_spec("peft") is not None:
        from peft import LoraConfig
        from peft.tuners.lora.layer import Linear

        about = LoraConfig(r=RANK, lora_alpha=32, lora_dropout=0.0)
        plain: Any = {
            name: Linear(frozen[name], "default", config=about, r=RANK, lora_alpha=32).to(device) for name in names
        }
        learned = [value for one in plain.values() for value in one.parameters() if value.requires_grad]
        forms["peft, plain LoRA"] = lambda: of(plain, x, *learned)
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
        yield from counted("step of two blocks", step_of(gemma(64, 2, 64), lengths_like_ml_100k(4), "cpu")[0])
        yield from shapes()
        return
    peak = product()
    yield Row("the card's product", peak, "TFLOP/s")
    for name, (make, length) in CASES.items():
        for form in ("eager", "replayed"):
            yield from measured(f"{name}, {form}", make, length, form, peak)


def compiled(cuda: bool) -> Iterator[Row]:
    """The same with compiled blocks, whose translation takes some twenty seconds for each shape of a block."""
    if not cuda:
        return
    peak = product()
    for name, (make, length) in CASES.items():
        if name in COMPILED:
            yield from measured(f"{name}, compiled and replayed", make, length, "compiled", peak)


def measured(name: str, make: Callable[[], Any], length: Ints, form: str, peak: float) -> Iterator[Row]:
    """Rows of one model's step."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    step, weights = step_of(make(), length, "cuda", form)
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    ready, tokens = time.perf_counter() - begin, int(length.sum())
    taken = milliseconds(step, repeats=5, rounds=2)
    flops = 4 * weights * tokens / taken / 1e9
    yield Row(f"{name}: {tokens} tokens", taken, "ms")
    yield Row(f"{name}: speed", 1000 * tokens / taken, "tokens/s")
    yield Row(f"{name}: products", flops, "TFLOP/s")
    yield Row(f"{name}: share of the card's product", 100 * flops / peak, "%")
    yield Row(f"{name}: until its fourth step", ready, "s")
    yield Row(f"{name}: peak memory", torch.cuda.max_memory_allocated() / 2**30, "GiB")


def shapes() -> Iterator[Row]:
    """Shapes and padding of an epoch's packed prompts, whose lengths are drawn like those of MovieLens-100K."""
    lengths = lengths_like_ml_100k(12_800)
    batches = even_batches(lengths, 16, np.random.default_rng(0))
    few = FewShapes([lengths[batch] for batch in batches[:256]], 320, "cpu")
    packings = [few(lengths[batch]) for batch in batches]
    yield Row("shapes of an epoch", len({made.shape for made in packings}), "")
    yield Row("padding", 100 * (1 - lengths.sum() / sum(len(made.prompt) for made in packings)), "%")


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


def step_of(model: Any, length: Ints, device: str, form: str = "eager") -> tuple[Callable[[], object], int]:
    """A training step on prompts of ``length`` tokens, packed unless all are equal; the weights in the blocks."""
    torch.manual_seed(0)
    model = model.eval().requires_grad_(False).to(device, torch.bfloat16 if device == "cuda" else torch.float32)
    weights = sum(value.numel() for value in model.base_model.layers.parameters())
    routing, prompts, longest = Routing(), len(length), int(length.max())
    adapt(model.base_model, ["all"], RANK, EXPERTS, 32.0, 0.0, routing)
    gate = make_gate("softmax", USER, EXPERTS, 0, 2, "group")
    made = Teacher(model, routing, gate, Projector(USER, model.config.hidden_size), None).to(device).train()
    if form != "eager":
        made.capture()
    if form == "compiled":
        compile_blocks(model)
    ids = torch.randint(10, model.config.vocab_size, (prompts, longest), device=device)
    column, ends = torch.arange(longest, device=device), torch.from_numpy(length).to(device)[:, None]
    labels = torch.where((column < ends) & (column >= ends - ANSWER), ids, NO_LABEL)
    slots = ((column % 12 == 5) & (column < ends)).flatten().nonzero()[:, 0]
    users, vectors = (torch.randn(count, USER, device=device) for count in (prompts, len(slots)))
    few = None if len(set(length.tolist())) == 1 else FewShapes([length], longest, device)
    inputs, _ = packed(Inputs(ids, slots, vectors, users, None), length, few)
    batch = GenerateBatch(inputs, labels, int(length.sum()), 0.0)
    learned: list[Tensor] = [value for group in made.groups().values() for value in group]
    optimizer = torch.optim.AdamW(learned, lr=1e-4, fused=device == "cuda")

    def step() -> object:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
            loss = token_losses(made, batch, made.gates(users))[0].mean()
        loss.backward()
        return optimizer.step()

    return step, weights


def lengths_like_ml_100k(prompts: int) -> Ints:
    """Tokens of prompts as those of MovieLens-100K: 98 on average, 10 to 190."""
    return np.random.default_rng(0).normal(98, 42, prompts).clip(10, 190).astype(np.int64)


CASES: dict[str, tuple[Callable[[], Any], Ints]] = {
    "640x18, 16 prompts": (lambda: gemma(640, 18, 2048), lengths_like_ml_100k(16)),
    "640x18, packed": (lambda: gemma(640, 18, 2048), lengths_like_ml_100k(168)),
    "640x18": (lambda: gemma(640, 18, 2048), np.full(64, 256)),
    "2048x6": (lambda: llama(2048, 6), np.full(32, 256)),
    "4096x6": (lambda: llama(4096, 6), np.full(32, 256)),
}
COMPILED = ("640x18, packed", "2048x6", "4096x6")


def knowledge(cuda: bool) -> Iterator[Row]:
    """Rows ranked in a second by a teacher of the demo's size and of Gemma's, eight in a prompt and one."""
    device, users, draw = "cuda" if cuda else "cpu", 768 if cuda else 24, np.random.default_rng(0)
    items = draw.integers(1, ITEMS + 1, users * 17).astype(np.int32)
    data, states = Sequences(items, np.arange(users + 1) * 17, np.arange(users)), torch.randn(len(items), USER)
    sizes = {"demo's": lambda: gemma(128, 2, 384)} | ({"640x18": lambda: gemma(640, 18, 2048)} if cuda else {})

    def ask(setup: TeacherSetup, spans: PromptSpans) -> None:
        tokens = 16_384 if cuda else None
        all_queries(setup, spans, states, spans.positions[1], 64, lambda done, total: None, tokens)

    for name, make in sizes.items():
        for how in ("eager", "replayed") if cuda else ("eager",):
            setup = asked(make(), device)
            if how == "replayed":
                setup.teacher.capture()
            for targets in (8, 1):
                spans = training_spans(data, 12, targets)
                taken = milliseconds(partial(ask, setup, spans), repeats=1, rounds=2 if cuda else 1)
                rows = len(spans.positions[1])
                yield Row(f"{name}, {how}, {targets} rows in a prompt", 1000 * rows / taken, "rows/s")


def asked(model: Any, device: str) -> TeacherSetup:
    """A teacher of random weights and what its prompts are made of."""
    settings = config.load([])
    rules, width = settings.teacher, model.config.hidden_size
    model = model.eval().requires_grad_(False).to(device, torch.bfloat16 if device == "cuda" else torch.float32)
    routing = Routing()
    adapt(model.base_model, ["all"], RANK, EXPERTS, 32.0, 0.0, routing)
    student = FrozenStudent.of(SequenceModel(ITEMS, settings.student).to(device).eval())
    head = RankHead(torch.randn(ITEMS + 1, 128, device=device), width, 64, 0.0, True).to(device)
    gate = make_gate("softmax", USER, EXPERTS, 0, 2, "group").to(device)
    made = Teacher(model, routing, gate, Projector(USER, width).to(device), head).eval()
    words = Vocabulary(lambda texts: [[10 + ord(c) % 80 for c in text] for text in texts], str, " ", 1, 0, 2, 3, 4)
    tokenizer = PromptTokenizer([f"{item:5d}" for item in range(ITEMS + 1)], words, rules.context, rules.title_tokens)
    titles = [""] * (ITEMS + 1)
    return TeacherSetup(rules, made, student, tokenizer, ["[HistoryHere],"], titles, device, tight(device))
