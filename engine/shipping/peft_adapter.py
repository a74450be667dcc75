"""A teacher's experts as an adapter of the library peft: plain LoRA, with one fixed mixture of the experts.

Ours: y = W x + (alpha / (R / E)) sum_e g_e B_e A_e x. peft's: y = W x + (alpha / R) B' A x. They are equal with
B'_e = E g_e B_e, so a uniform mixture (g_e = 1 / E) is B itself.
Letters: I inputs, O outputs, R total rank, E experts, T items of a history.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.backbone.language import SOURCE
from engine.config.settings.teacher import LoraSettings
from engine.data.sequences import Rows
from engine.errors import RunError
from engine.recommend.heldout_users import held_out
from engine.recommend.lineage import lineage, made
from engine.report.settings import settings_of as run_settings
from engine.runs.files import refused, write_json
from engine.runs.run_files import RunFiles
from engine.stages import ADAPTER, LANGUAGE_MODEL
from engine.teacher.build import TeacherSetup, build, settings_of
from engine.teacher.lora.gate import UniformGate
from engine.teacher.lora.moe_lora import adapters

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"  # as peft calls them


@dataclass(frozen=True)
class PeftAdapter:
    """What was written: the run that trained it, the mixture of its experts, and the files."""

    run: str
    mixture: list[float]
    files: list[str]


def export(folder: Path, to: Path, user: str | None, device: str = "cpu") -> PeftAdapter:
    """Writes the adapter of the teacher behind the run at ``folder``, merged for a held-out user where one is named.

    RunError where the gate mixes the experts for each user and none is named.
    """
    runs = lineage(folder)
    path = made(runs, ADAPTER)
    run, settings = runs[ADAPTER.stage], settings_of(path)
    setup = build(settings, RunFiles(run), device)
    setup.teacher.load(path)
    if user is not None:
        users = held_out(folder, runs)
        mixture = mixture_of(setup, users.history(users.find(user)))
    elif isinstance(setup.teacher.gate, UniformGate):
        mixture = torch.full((settings.lora.experts,), 1 / settings.lora.experts)
    else:
        raise RunError(
            f"the gate of this teacher ({settings.gate.kind}) mixes its {settings.lora.experts} experts for each user, "
            "which an adapter of peft cannot",
            location=run.name,
            remedy="Name the user whose mixture it shall be: --user ID. Plain LoRA is teacher.gate.kind=uniform.",
        )
    about = {"run": run.name, "user": user or "", "mixture": mixture.tolist()}
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to, prefix=".export-") as scratch:
            save_file(
                tensors(setup, mixture),
                Path(scratch) / WEIGHTS,
                metadata={"format": "pt", "recdistill": json.dumps(about)},
            )
            write_json(Path(scratch) / CONFIG, configuration(setup, settings.lora, _base(runs)))
            for name in (WEIGHTS, CONFIG):
                os.replace(Path(scratch) / name, to / name)
    except OSError as error:
        raise refused(error, to, "choose another folder") from error
    return PeftAdapter(run.name, mixture.tolist(), [CONFIG, WEIGHTS])


@torch.no_grad()
def mixture_of(setup: TeacherSetup, history: NDArray[np.int32]) -> Tensor:  # [T] item ids -> [E]
    """The expert weights of a user with this history."""
    one = Rows(history, np.zeros(1, dtype=np.int64), np.array([len(history)]), np.zeros(1, dtype=np.int64))
    state = setup.student.after_rows(one, setup.device, lambda done, total: None)
    return setup.teacher.gates(state)[0].float().cpu()


def tensors(setup: TeacherSetup, mixture: Tensor) -> dict[str, Tensor]:  # [E] -> [R, I], [O, R]
    """A and B' of every adapted map under peft's names."""
    found = {}
    for path, layer in adapters(setup.teacher.language_model):
        rank = len(layer.lora_a)
        factor = (mixture * len(mixture)).repeat_interleave(rank // len(mixture))  # [R]
        merged = layer.lora_b.detach().float().cpu() * factor
        found[f"base_model.model.{path}.lora_A.weight"] = layer.lora_a.detach().float().cpu().contiguous()
        found[f"base_model.model.{path}.lora_B.weight"] = merged.contiguous()
    return found


def configuration(setup: TeacherSetup, lora: LoraSettings, base: str) -> dict[str, Any]:
    """The content of adapter_config.json."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": [path for path, _ in adapters(setup.teacher.language_model)],
    }


def _base(runs: Mapping[str, Path]) -> str:
    """Name on the hub, or folder, of the language model."""
    settings, folder = run_settings(runs[LANGUAGE_MODEL.stage]), made(dict(runs), LANGUAGE_MODEL)
    if settings.get("backbone.source") == "hub":
        return str(settings["backbone.name"])
    reference = folder / SOURCE
    if reference.is_file():
        return str(json.loads(reference.read_text(encoding="utf-8"))["folder"])
    return str(folder.resolve())
