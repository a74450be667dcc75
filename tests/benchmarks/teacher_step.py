"""The fused expert layer beside the frozen map alone, the form that makes every expert's output, and peft's plain LoRA.

Run it by hand: python tests/benchmarks/teacher_step.py [--width 2048 --tokens 2400 --rank 16 --bf16]. All forms run in
turn in one process, forward and backward to the input; the figure is the median over rounds, in CPU or device time.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.teacher.moe_lora import MoELoRALinear
from engine.teacher.routing import Routing

PROMPTS, EXPERTS = 8, 4


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    for name, value in (("width", 2048), ("tokens", 2400), ("rank", 16), ("rounds", 7)):
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
    if importlib.util.find_spec("peft"):
        forms["peft, plain LoRA"] = peft_layer(base, given.rank)
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
    from peft.tuners.lora.layer import Linear

    made: Callable[[Tensor], Tensor] = Linear(base, "default", r=rank, lora_alpha=32, lora_dropout=0.0)
    return made


def seconds(form: Callable[[Tensor], Tensor], x: Tensor, device: str) -> float:
    """Of one forward and backward: device time on a GPU, this process's CPU time elsewhere."""
    x.grad = None
    if device == "cuda":
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        form(x).sum().backward()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1e3
    since = time.process_time()
    form(x).sum().backward()
    return time.process_time() - since


if __name__ == "__main__":
    main()
