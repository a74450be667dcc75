"""Faults of data, planted into the artifacts or the batches, and named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.student.batches import BatchSampler
from tests.fixtures.doctor import Doctor

DATA = ("first-batches", "no-leak", "target-not-in-history", "ids", "titles")


def artifact(folder: Path, name: str) -> Path:
    return folder / "artifacts" / name


def test_sound_data_pass_and_the_first_batches_are_shown_as_titles(doctor: Doctor) -> None:
    found = doctor.outcomes(DATA, "data")
    assert {outcome.verdict for outcome in found.values()} == {"pass"}
    assert "→" in found["first-batches"].evidence and ": " in found["first-batches"].evidence


def test_ids_shifted_by_one_are_named(doctor: Doctor) -> None:
    folder = doctor.copy("data")
    path = artifact(folder, "sequences.safetensors")
    sequences = Sequences.load(path)
    shifted = np.where(sequences.items == 80, 1, sequences.items + 1).astype(np.int32)  # stays within 1..80
    Sequences(shifted, sequences.offsets, sequences.users).save(path)
    assert "another number of times" in doctor.fault("ids", altered={"data": folder}).evidence


def test_ids_from_zero_are_named(doctor: Doctor) -> None:
    folder = doctor.copy("data")
    path = artifact(folder, "validation.safetensors")
    rows = Rows.load(path)
    Rows(rows.items - 1, rows.start, rows.stop, rows.users).save(path)
    assert "validation ids go from 0" in doctor.fault("ids", altered={"data": folder}).evidence


@pytest.mark.parametrize("split", ["validation", "test"])
def test_held_out_rows_in_training_are_named(doctor: Doctor, split: str) -> None:
    folder = doctor.copy("data")
    path, rows = artifact(folder, "sequences.safetensors"), Rows.load(artifact(folder, f"{split}.safetensors"))
    sequences = Sequences.load(path)
    targets = dict(zip(rows.users.tolist(), rows.targets.tolist(), strict=True))
    parts = [
        [*sequences.items[a:b], *([targets[user]] if user in targets else [])]
        for a, b, user in zip(sequences.offsets[:-1], sequences.offsets[1:], sequences.users.tolist(), strict=True)
    ]
    offsets = np.cumsum([0, *map(len, parts)])
    Sequences(np.concatenate(parts).astype(np.int32), offsets, sequences.users).save(path)
    evidence = doctor.fault("no-leak", altered={"data": folder}).evidence
    assert ("validation targets are trained on" if split == "validation" else "do not begin as") in evidence


def test_test_users_leaking_into_training_are_named(doctor: Doctor, users_apart: Path) -> None:
    altered = users_apart
    assert "users of test rows are trained on" in doctor.fault("no-leak", altered={"data": altered}).evidence


@pytest.fixture
def users_apart(doctor: Doctor) -> Path:
    """A split that holds whole users out, into whose training one test user was put."""
    folder = doctor.copy("data")
    profile = json.loads(artifact(folder, "profile.json").read_text())
    artifact(folder, "profile.json").write_text(json.dumps(profile | {"split": "users"}))
    sequences = Sequences.load(artifact(folder, "sequences.safetensors"))
    for split, users in (("validation", [40, 41]), ("test", [50, 51])):
        rows = Rows.load(artifact(folder, f"{split}.safetensors"))
        kept = np.isin(rows.users, users)
        Rows(rows.items, rows.start[kept], rows.stop[kept], rows.users[kept]).save(
            artifact(folder, f"{split}.safetensors")
        )
    end = int(sequences.offsets[51])
    Sequences(sequences.items[:end], sequences.offsets[:52], sequences.users[:51]).save(
        artifact(folder, "sequences.safetensors")
    )
    return folder


def test_users_apart_are_sound(doctor: Doctor, users_apart: Path) -> None:
    folder = users_apart
    path = artifact(folder, "sequences.safetensors")
    sequences = Sequences.load(path)
    Sequences(sequences.items[: sequences.offsets[40]], sequences.offsets[:41], sequences.users[:40]).save(path)
    assert doctor.outcomes(("no-leak",), altered={"data": folder})["no-leak"].verdict == "pass"


def test_shuffled_labels_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = BatchSampler.__call__

    def shuffled(self: Any, step: int) -> Any:
        batch = sound(self, step)
        order = torch.randperm(len(batch.targets), generator=torch.Generator().manual_seed(step))
        return type(batch)(
            batch.items, batch.targets[order], batch.events, batch.packed, batch.weights, batch.positions
        )

    monkeypatch.setattr(BatchSampler, "__call__", shuffled)
    assert "targets are not the event that follows" in doctor.fault("first-batches", "data").evidence


def test_labels_shifted_by_one_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = BatchSampler.__call__

    def shifted(self: Any, step: int) -> Any:
        batch = sound(self, step)
        return type(batch)(batch.items, batch.items, batch.events, batch.packed, batch.weights, batch.positions)

    monkeypatch.setattr(BatchSampler, "__call__", shifted)
    doctor.fault("first-batches", "data")


def test_a_catalogue_without_titles_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("data")
    profile = json.loads(artifact(folder, "profile.json").read_text())
    profile["titles"]["missing"] = 70
    artifact(folder, "profile.json").write_text(json.dumps(profile))
    path = artifact(folder, "items.parquet")
    table = pq.read_table(path)
    names = [f"item {raw}" for raw in table["raw"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("title"), "title", [names]), path)
    assert "70 of 80 items have no title" in doctor.fault("titles", altered={"data": folder}).evidence
