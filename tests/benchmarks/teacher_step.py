"""The fused expert layer beside the frozen map alone, the form that makes every expert's output, and peft's plain LoRA;
then whole training steps of the teacher beside transformers with peft's plain LoRA of the same rank on the same model,
and the rows that a teacher of the demo's size is asked about in a second.

Run it by hand: python tests/benchmarks/teacher_step.py [--width 2048 --tokens 2400 --rank 16 --model 256 --bf16]. All
forms run in turn in one process; figures are medians over rounds, in CPU or device time. peft is no dependency: where
it is not installed its rows are left out.
"""

import argparse
import copy
import importlib.util
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from engine import config
from engine.backbone.pieces import Ints
from engine.backbone.slots import Vocabulary
from engine.data.sequences import Sequences
from engine.knowledge.scorers import catalogue_scorer
from engine.student.model import SequenceModel
from engine.teacher.build import TeacherSetup
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.head import RankHead
from engine.teacher.lora.gate import make_gate
from engine.teacher.lora.moe_lora import MoELoRALinear, adapt
from engine.teacher.lora.projector import Projector
from engine.teacher.lora.routing import Routing
from engine.teacher.model import Inputs, Teacher, packed
from engine.teacher.objectives.generate import GenerateBatch, token_losses
from engine.teacher.prompting.spans import training_spans
from engine.teacher.prompting.tokenizer import NO_LABEL, PromptTokenizer
from engine.teacher.shapes import tight

PROMPTS, EXPERTS, ITEMS = 8, 4, 1800
USER, ANSWER = 64, 6  # width of a user vector, tokens that are learned


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    for name, value in (("width", 2048), ("tokens", 2400), ("rank", 16), ("rounds", 7), ("model", 256)):
        words.add_argument(f"--{name}", type=int, default=value)
    words.add_argument("--bf16", action="store_true")
    given = words.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if given.bf16 else torch.float32
    torch.manual_seed(0)
    base = nn.Linear(given.width, given.width, bias=False, device=device, dtype=dtype).requires_grad_(False)
    layer = MoELoRALinear(base, given.rank, EXPERTS, 32.0, 0.0, Routing())
    nn.init.normal_(layer.lora_b, std=0.01)
    gate = torch.randn(PROMPTS, EXPERTS, device=device).softmax(dim=1)
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "frozen alone": base,
        "fused": lambda x: routed(layer, x, gate),
        "one output per expert": lambda x: every_expert(layer, x, gate),
    }
    with_peft = importlib.util.find_spec("peft") is not None
    if with_peft:
        forms["peft, plain LoRA"] = peft_layer(base, given.rank)
    else:
        print("peft is not installed: its rows are left out (pip install peft)")
    x = torch.randn(PROMPTS, given.tokens // PROMPTS, given.width, device=device, dtype=dtype, requires_grad=True)
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(given.rounds + 1):
        for name, form in forms.items():
            taken[name].append(seconds(form, x, device))
    frozen = statistics.median(taken["frozen alone"][1:])
    print(
        f"{given.width} x {given.width}, {given.tokens} tokens, rank {given.rank}, {EXPERTS} experts, {dtype}, {device}"
    )
    for name, times in taken.items():
        median = statistics.median(times[1:])  # the first round warms up
        print(f"  {name:24s} {median * 1e3:9.2f} ms  x{median / frozen:.2f}")
    training(given.model, given.tokens, given.rank, given.rounds, dtype, device, with_peft)
    answering(given.rounds, device)


def training(width: int, tokens: int, rank: int, rounds: int, dtype: torch.dtype, device: str, with_peft: bool) -> None:
    """Whole steps: forward, loss of the answers' tokens, backward, AdamW. One batch, padded on the right for peft."""
    model = new_model(width).to(device, dtype)
    longest = tokens // PROMPTS
    length = torch.linspace(0.7 * longest, longest, PROMPTS).long()
    ids = torch.randint(10, model.config.vocab_size, (PROMPTS, longest), device=device)
    position = torch.arange(longest)
    real = (position < length[:, None]).to(device)
    labels = torch.where((position >= length[:, None] - ANSWER).to(device) & real, ids, NO_LABEL)
    steps = {"teacher": our_step(copy.deepcopy(model), rank, ids, labels, length.numpy())}
    if with_peft:
        steps["transformers with peft"] = peft_step(model, rank, ids, real.long(), labels)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            taken[name].append(timed(step, device))
    parameters = sum(value.numel() for value in model.parameters())
    print(
        f"training: {parameters / 1e6:.1f} million frozen weights of width {width}, {int(length.sum())} tokens a step, "
        f"rank {rank} on all linear maps"
    )
    ours = statistics.median(taken["teacher"][1:])
    for name, times in taken.items():
        median = statistics.median(times[1:])
        print(f"  {name:24s} {int(length.sum()) / median:9.0f} tokens/s  x{ours / median:.2f} of the teacher's")


def answering(rounds: int, device: str) -> None:
    """Answers and rankings for every training row of 48 users, eight rows in a prompt and one row in a prompt."""
    settings, draw = config.load([]), np.random.default_rng(0)
    items = draw.integers(1, ITEMS + 1, 48 * 17).astype(np.int32)
    sequences = Sequences(items, np.arange(49) * 17, np.arange(48))
    student = FrozenStudent.of(SequenceModel(ITEMS, settings.student).to(device).eval())
    model, routing, rules = new_model(128, layers=2).to(device), Routing(), settings.teacher
    adapt(model.base_model, ["all"], rules.lora.rank, rules.lora.experts, rules.lora.alpha, 0.0, routing)
    width, text = student.table.shape[1], torch.randn(ITEMS + 1, 128, device=device)
    head = RankHead(text, 128, 64, 0.0, True).to(device)
    gate = make_gate("softmax", width, rules.lora.experts, 0, 2, "group").to(device)
    teacher = Teacher(model, routing, gate, Projector(width, 128).to(device), head).eval()
    words = Vocabulary(lambda texts: [[10 + ord(c) for c in text] for text in texts], str, " ", 1, 0, 2, 3, 4)
    tokenizer = PromptTokenizer([f"{item:4d}" for item in range(ITEMS + 1)], words, rules.context, rules.title_tokens)
    titles = [""] * (ITEMS + 1)
    setup = TeacherSetup(rules, teacher, student, tokenizer, ["[HistoryHere],"], titles, device, tight(device))
    scorer = catalogue_scorer(setup, settings.knowledge)
    states = student.after_events(sequences, device, lambda done, total: None)
    taken: dict[int, list[float]] = {8: [], 1: []}

    def ask(targets: int) -> None:
        spans = training_spans(sequences, rules.history, targets)
        queries, _ = scorer.queries(spans, states, spans.positions[1], lambda done, total: None)
        scorer.first(queries.to(device), None, None)

    for _ in range(rounds + 1):
        for targets, times in taken.items():
            times.append(timed(partial(ask, targets), device))
    rows = len(items) - len(sequences)
    for targets, times in taken.items():
        print(f"knowledge, {targets} rows in a prompt: {rows / statistics.median(times[1:]):9.0f} rows/s")


def new_model(width: int, layers: int = 6) -> Any:
    config = LlamaConfig(
        vocab_size=4000,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        max_position_embeddings=4096,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)


def our_step(model: Any, rank: int, ids: Tensor, labels: Tensor, length: Ints) -> Callable[[], None]:
    """The generate objective with everything that belongs to it: slots, projector, gate, experts."""
    routing = Routing()
    adapt(model.base_model, ["all"], rank, EXPERTS, 32.0, 0.0, routing)
    users = torch.randn(len(ids), USER, device=ids.device)
    slots = torch.arange(5, ids.numel(), 12, device=ids.device)
    vectors = torch.randn(len(slots), USER, device=ids.device)
    gate = make_gate("softmax", USER, EXPERTS, 0, 2, "group")
    teacher = Teacher(model, routing, gate, Projector(USER, model.config.hidden_size), None).to(ids.device).train()
    inputs, _ = packed(Inputs(ids, slots, vectors, users, None), length, tight(ids.device.type))
    batch = GenerateBatch(inputs, labels, ids.numel(), 0.0)
    optimizer = torch.optim.AdamW([value for group in teacher.groups().values() for value in group], lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        token_losses(teacher, batch, teacher.gates(users))[0].mean().backward()
        optimizer.step()

    return step


def peft_step(model: Any, rank: int, ids: Tensor, mask: Tensor, labels: Tensor) -> Callable[[], None]:
    from peft import LoraConfig, get_peft_model

    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = get_peft_model(model, LoraConfig(r=rank, lora_alpha=32, lora_dropout=0.0, target_modules=names)).train()
    optimizer = torch.optim.AdamW([value for value in adapted.parameters() if value.requires_grad], lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        adapted(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
        optimizer.step()

    return step


def routed(layer: MoELoRALinear, x: Tensor, gate: Tensor) -> Tensor:
    with layer.routing.of(gate):
        result: Tensor = layer(x)
    return result


def every_expert(layer: MoELoRALinear, x: Tensor, gate: Tensor) -> Tensor:
    """[B, T, E, O] as the released code makes it."""
    low = F.linear(x, layer.lora_a.to(x.dtype)).unflatten(2, (EXPERTS, -1))  # [B, T, E, R / E]
    each = torch.einsum("bter,oer->bteo", low, layer.lora_b.to(x.dtype).unflatten(1, (EXPERTS, -1)))
    return layer.base(x) + layer.scale * torch.einsum("bteo,be->bto", each, gate.to(x.dtype))


def peft_layer(base: nn.Module, rank: int) -> Callable[[Tensor], Tensor]:
    from peft import LoraConfig
    from peft.tuners.lora.layer import Linear

    about = LoraConfig(r=rank, lora_alpha=32, lora_dropout=0.0)
    made: Callable[[Tensor], Tensor] = Linear(base, "default", config=about, r=rank, lora_alpha=32)
    return made


def seconds(form: Callable[[Tensor], Tensor], x: Tensor, device: str) -> float:
    """Of one forward and backward."""
    x.grad = None
    return timed(lambda: form(x).sum().backward(), device)


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds: device time on a GPU, this process's CPU time elsewhere."""
    if device == "cuda":
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1e3
    since = time.process_time()
    work()
    return time.process_time() - since


if __name__ == "__main__":
    main()
