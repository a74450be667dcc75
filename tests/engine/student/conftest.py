"""Small worlds and settings that the student's tests share."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import config
from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows, Sequences
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.stages import PROFILE, SEQUENCES, VALIDATION
from tests.fixtures.students import counting, sequences_of


@pytest.fixture(scope="session")
def settings() -> Callable[..., StudentSettings]:
    """A small SASRec with any field changed."""
    base = config.load(["student=sasrec"]).student
    small = {"hidden": 16, "max_length": 8, "batch": 16, "epochs": 4, "evaluate_every": 1, "dropout": 0.0}
    small |= {"temperature": 1.0}  # scores as published, whatever suits the demo
    return lambda **changes: replace(base, **(small | changes))


@pytest.fixture
def student_run(tmp_path: Path) -> Callable[..., Run]:
    """A run of the student stage in a store of its own, with a data run of counting users as its input."""

    def make(users: int = 60, items: int = 20, name: str = "runs") -> Run:
        store = Store(tmp_path / name)
        known: dict[str, Any] = {"experiment": "test", "seed": 1, "fingerprint": "f"}
        histories = counting(users, items)
        data = store.create(RunInfo(id=new_id("data"), stage="data", **known), "seed: 1\n")
        made = data / "artifacts"
        made.mkdir(exist_ok=True)
        (made / PROFILE.file).write_text(json.dumps({"items": items, "users": users}))
        sequences_of([history[:-1] for history in histories]).save(made / SEQUENCES.file)
        whole = sequences_of(histories)
        Rows(whole.items, whole.offsets[:-1], whole.offsets[1:] - 1, whole.users).save(made / VALIDATION.file)
        info = RunInfo(id=new_id("student"), stage="student", inputs={"data": data.name}, **known)
        return Run(store.create(info, "seed: 1\n"))

    return make


@pytest.fixture
def counting_sequences() -> Callable[..., Sequences]:
    return lambda users=60, items=20, seed=0: sequences_of(counting(users, items, seed))


@pytest.fixture
def make_sequences() -> Callable[[list[list[int]]], Sequences]:
    return sequences_of
