"""How many tokens a device computes at once, found by trying."""

import json
from collections.abc import Callable

import numpy as np
import torch

from engine.backbone.pieces import Ints
from engine.errors import ConfigError
from engine.runs.run import Run
from engine.teacher.build import TeacherSetup
from engine.teacher.model import Inputs, packed

FIRST, MOST = 2048, 262_144  # tokens of the first trial, and at most
SHARE = 0.8  # of the free memory: captured passes and losses need some beside
MULTIPLE = 256


def largest(trial: Callable[[int], int], room: int) -> int:
    """The most tokens whose trial needs at most ``room`` bytes; ``trial`` returns the bytes that its tokens needed.

    Bytes grow by the same amount with each token, so two trials say how many fit, and a third one confirms it.
    """
    one, two = trial(FIRST), trial(2 * FIRST)
    each = max(1.0, (two - one) / FIRST)
    found = int(min(MOST, 2 * FIRST + (room - two) / each)) // MULTIPLE * MULTIPLE
    while found > MULTIPLE:
        try:
            if trial(found) <= room:
                break
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        found = int(0.8 * found) // MULTIPLE * MULTIPLE
    return max(MULTIPLE, found)


def batch_tokens(setup: TeacherSetup, wanted: int | str | None, run: Run, learns: bool) -> int | None:
    """Tokens of a batch, None where batches have a number of prompts. What ``auto`` finds is written down in the run.

    A run that goes on keeps what it found first.
    """
    if wanted != "auto":
        return wanted if isinstance(wanted, int) else None
    if setup.held is not None and setup.device.startswith("cuda"):
        raise ConfigError(
            "each process tries alone how many tokens fit, which weights in parts on several devices do not allow",
            location="batch_tokens",
            remedy="Give a number, for example 8192.",
        )
    if not setup.device.startswith("cuda") or setup.pack is None:
        run.log("info", "batches have a number of prompts: batch_tokens=auto asks for a GPU and packed prompts")
        return None
    known = run.checkpoints / "batch_tokens.json"
    tokens: int | None = setup.processes.first(
        json.loads(known.read_text(encoding="utf-8")) if known.exists() else None
    )
    if tokens is None:
        free, _ = torch.cuda.mem_get_info()
        free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        found = largest(lambda tokens: _bytes(setup, tokens, learns), int(SHARE * free))
        torch.cuda.empty_cache()
        tokens = min(setup.processes.gathered(found))  # all compute as many
        with run.checkpoint(known.name) as path:
            path.write_text(json.dumps(tokens), encoding="utf-8")
    run.note(batch_tokens=tokens)
    run.log("info", f"{tokens:,} tokens at once fit into the device's memory")
    return tokens


def _bytes(setup: TeacherSetup, tokens: int, learns: bool) -> int:
    """Memory that the language model's passes need for so many tokens, beside what is there anyway."""
    teacher, longest = setup.teacher, setup.settings.context // 2
    length: Ints = np.full(-(-tokens // longest), longest)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.random.fork_rng([torch.device(setup.device)]), torch.set_grad_enabled(learns):
        inputs = _inputs(setup, length, longest)
        states = teacher.states(inputs, teacher.gates(inputs.users))
        if learns:
            trained = [value for value in teacher.parameters() if value.requires_grad]
            torch.autograd.grad(states.float().square().sum(), trained, allow_unused=True)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _inputs(setup: TeacherSetup, length: Ints, longest: int) -> Inputs:
    """Prompts of ``length`` tokens of padding, which cost what others cost."""
    ids = torch.full((len(length), longest), setup.tokenizer.vocabulary.padding, device=setup.device)
    users = torch.zeros(len(length), setup.student.table.shape[1], device=setup.device)
    slots, vectors = torch.zeros(1, dtype=torch.long, device=setup.device), setup.student.table[:1].to(setup.device)
    return packed(Inputs(ids, slots, vectors, users, None), length, setup.pack)[0]
