"""Checkpoints: all state that exact resuming needs, one safetensors file each.

Tensors lie under ``model.``, ``best.``, ``average.``, ``optimizer.`` and ``random.``, numbers as JSON in the header.
The two newest files are kept: one that was damaged later (a full disk, a copy cut short) does not cost the run.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import RunError
from engine.runs.run import Run

KEPT = 2
FORMAT = 1
_PATTERN = "step-*.safetensors"


@dataclass
class TrainState:
    """The counters of a training. ``step`` steps are done; the next batch is number ``step``."""

    step: int = 0
    best_step: int = 0
    best: dict[str, float] = field(default_factory=dict)  # metrics of the best evaluation
    stale: int = 0  # evaluations since then
    halves: list[list[float]] = field(default_factory=list)  # of every evaluation: its figure on halves of the users
    positions: int = 0  # supervised positions trained on
    tokens: int = 0  # of prompts trained on
    seconds: float = 0.0  # wall time of training steps alone
    cpu_seconds: float = 0.0


@dataclass
class Snapshot:
    """A whole checkpoint in memory: tensors by name below each prefix, and plain values."""

    state: TrainState
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]  # as ``Optimizer.state_dict`` gives it, its state all tensors
    random: dict[str, Tensor]


def save(run: Run, snapshot: Snapshot) -> None:
    """Write ``checkpoints/step-<n>.safetensors`` and drop all but the newest two."""
    tensors: dict[str, Tensor] = {}
    for prefix in ("model", "best", "average", "random"):
        tensors |= {f"{prefix}.{name}": value for name, value in getattr(snapshot, prefix).items()}
    for index, state in snapshot.optimizer["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    plain = {"standing": asdict(snapshot.state), "groups": snapshot.optimizer["param_groups"], "format": FORMAT}
    with run.checkpoint(f"step-{snapshot.state.step:08d}.safetensors") as path:
        whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        save_file(whole, path, metadata={"plain": json.dumps(plain)})
    for old in sorted(run.checkpoints.glob(_PATTERN))[:-KEPT]:
        run.drop_checkpoint(old.name)


def newest(run: Run) -> Snapshot | None:
    """The newest checkpoint that can be read, None where the run has none yet.

    RunError when there are checkpoints and not one of them is whole.
    """
    found = sorted(run.checkpoints.glob(_PATTERN), reverse=True)
    for path in found:
        try:
            return _read(path)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            message = f"checkpoint {path.name} is damaged ({error}); the one before it is tried"
            run.log("warning", message)
            run.health("checkpoint_damaged", "warning", message)
    if found:
        raise RunError(
            "no checkpoint of this run can be read, so it cannot go on where it stopped",
            location=str(run.checkpoints),
            remedy=f"Start it from the beginning: engine run {run.stage.name} --again",
        )
    return None


def _read(path: Path) -> Snapshot:
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in ("model", "best", "average", "random", "optimizer")}
    with safe_open(path, framework="pt") as file:
        plain = json.loads(file.metadata()["plain"])
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']} is not {FORMAT}")
        for key in file.keys():  # noqa: SIM118 - not a dict
            prefix, _, name = key.partition(".")
            parts[prefix][name] = file.get_tensor(key)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in parts.pop("optimizer").items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer = {"state": state, "param_groups": plain["groups"]}
    return Snapshot(TrainState(**plain["standing"]), optimizer=optimizer, **parts)


def random_states() -> dict[str, Tensor]:
    """States of PyTorch's own generators on this process's devices."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random(states: dict[str, Tensor]) -> None:
    """Put them back."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
