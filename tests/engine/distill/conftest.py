"""A small world in which the next item is the current one plus one, and a teacher who knows it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine import config
from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Rows, Sequences
from engine.jobs.store import Store
from engine.knowledge.rankings import Rankings
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.stages import ITEM_VECTORS, LAST_POSITION, PROFILE, RANKINGS, SEQUENCES, VALIDATION
from tests.fixtures.students import counting, sequences_of

ITEMS = 20
TOP = 5


def teacher_of(sequences: Sequences, share: float = 1.0) -> Rankings:
    """For the first ``share`` of the events: the item after the one before, then those after it, ever less sure."""
    events = np.setdiff1d(np.arange(len(sequences.items)), sequences.offsets[:-1])
    events = events[: round(share * len(events))]
    first = sequences.items[events - 1].astype(np.int64)
    items = (first[:, None] + np.arange(TOP)) % ITEMS + 1
    distances = torch.arange(TOP, dtype=torch.float32).mul(1.5).add(0.2).expand(len(events), TOP)
    return Rankings(torch.from_numpy(events), torch.from_numpy(items.astype(np.int32)), distances.contiguous())


def last_positions_of(sequences: Sequences) -> Rankings:
    """For every end: the items that follow the last one on the circle."""
    last = sequences.items[sequences.offsets[1:] - 1].astype(np.int64)
    items = (last[:, None] + np.arange(TOP)) % ITEMS + 1
    distances = torch.arange(TOP, dtype=torch.float32).mul(1.5).add(0.2).expand(len(last), TOP)
    return Rankings(
        torch.from_numpy(sequences.offsets[1:]), torch.from_numpy(items.astype(np.int32)), distances.contiguous()
    )


def circle() -> Tensor:
    """Item vectors [n + 1, 4] that tell where an item stands on the circle."""
    angle = torch.arange(ITEMS + 1) * (2 * math.pi / ITEMS)
    return torch.stack([angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], dim=1)


@pytest.fixture(scope="session")
def settings() -> Callable[..., DistillSettings]:
    """Small settings with any field of the sections changed: ``student={...}``, ``kl={...}``, ``hint=1.0`` ..."""
    plain = ["temperature=1.0", "average=null", "weight_decay=0.01"]
    words = ["choose=distilled", "injection.weight=1.0", "kl.weight=0.5", *(f"student.{word}" for word in plain)]
    base = config.load(["distill=dllm2rec-kl", *(f"distill.{word}" for word in words)]).distill
    small = {"hidden": 16, "max_length": 8, "batch": 16, "epochs": 4, "evaluate_every": 1, "dropout": 0.1}

    def make(**changes: Any) -> DistillSettings:
        changes["student"] = small | {"learning_rate": 1e-2} | changes.get("student", {})
        changes["ranking"] = {"rows": 16, "top": TOP} | changes.get("ranking", {})
        changes["kl"] = {"top": TOP} | changes.get("kl", {})
        parts = {
            name: replace(getattr(base, name), **value) if isinstance(value, dict) else value
            for name, value in changes.items()
        }
        return replace(base, **{"last_position": 0.0} | parts)

    return make


@pytest.fixture
def distill_run(tmp_path: Path) -> Callable[..., Run]:
    """A run of the distill stage in a store of its own, with data and knowledge as its inputs."""

    def make(
        name: str = "runs",
        users: int = 60,
        share: float = 1.0,
        histories: list[list[int]] | None = None,
        last_position: bool = True,
    ) -> Run:
        store = Store(tmp_path / name)
        known: dict[str, Any] = {"experiment": "test", "seed": 1, "fingerprint": "f"}
        whole = sequences_of(counting(users, ITEMS))
        training = sequences_of(histories or [history[:-1] for history in counting(users, ITEMS)])
        data = store.create(RunInfo(id=new_id("data"), stage="data", **known), "seed: 1\n")
        made = data / "artifacts"
        made.mkdir(exist_ok=True)
        (made / PROFILE.file).write_text(json.dumps({"items": ITEMS, "users": users}))
        training.save(made / SEQUENCES.file)
        Rows(whole.items, whole.offsets[:-1], whole.offsets[1:] - 1, whole.users).save(made / VALIDATION.file)
        knowledge = store.create(
            RunInfo(id=new_id("knowledge"), stage="knowledge", inputs={"data": data.name}, **known), "seed: 1\n"
        )
        made_knowledge = knowledge / "artifacts"
        made_knowledge.mkdir(exist_ok=True)
        teacher_of(training, share).save(made_knowledge / RANKINGS.file)
        if last_position:
            last_positions_of(training).save(made_knowledge / LAST_POSITION.file)
        save_file({"vectors": circle()}, made_knowledge / ITEM_VECTORS.file)
        inputs = {"data": data.name, "knowledge": knowledge.name}
        info = RunInfo(id=new_id("distill"), stage="distill", inputs=inputs, **known)
        return Run(store.create(info, "seed: 1\n"))

    return make


@pytest.fixture
def counting_world() -> tuple[Sequences, Rankings, Tensor]:
    """Training sequences, the teacher's rankings of them, and item vectors."""
    sequences = sequences_of(counting(60, ITEMS))
    return sequences, teacher_of(sequences), circle()


@pytest.fixture
def counting_last(counting_world: tuple[Sequences, Rankings, Tensor]) -> Rankings:
    """What the teacher says about the ends of these sequences."""
    return last_positions_of(counting_world[0])
