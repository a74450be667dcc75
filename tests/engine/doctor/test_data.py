"""Faults of data, planted into the artifacts or the batches, and named."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.student.batches import BatchSampler

DATA = ("first-batches", "no-leak", "target-unseen", "ids", "titles")


def artifact(folder, name):
    return folder / "artifacts" / name


def test_sound_data_pass_and_the_first_batches_are_shown_as_titles(case, look):
    found = look(case("data"), *DATA)
    assert {outcome.verdict for outcome in found.values()} == {"pass"}
    assert "→" in found["first-batches"].evidence and ": " in found["first-batches"].evidence


def test_ids_shifted_by_one_are_named(case, copy, named):
    folder = copy("data")
    path = artifact(folder, "sequences.safetensors")
    sequences = Sequences.load(path)
    shifted = np.where(sequences.items == 80, 1, sequences.items + 1).astype(np.int32)  # stays within 1..80
    Sequences(shifted, sequences.offsets, sequences.users).save(path)
    assert "another number of times" in named(case(altered={"data": folder}), "ids").evidence


def test_ids_from_zero_are_named(case, copy, named):
    folder = copy("data")
    path = artifact(folder, "validation.safetensors")
    rows = Rows.load(path)
    Rows(rows.items - 1, rows.start, rows.stop, rows.users).save(path)
    assert "validation ids go from 0" in named(case(altered={"data": folder}), "ids").evidence


def test_a_target_inside_its_history_is_named(case, copy, look):
    folder = copy("data")
    path = artifact(folder, "test.safetensors")
    rows = Rows.load(path)
    stretches = [
        [*rows.items[a:b], target, target] for a, b, target in zip(rows.start, rows.stop, rows.targets, strict=True)
    ]
    starts = np.cumsum([0, *map(len, stretches)])
    Rows(np.concatenate(stretches).astype(np.int32), starts[:-1], starts[1:] - 1, rows.users).save(path)
    found = look(case(altered={"data": folder}), "target-unseen", "no-leak", "ids")
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "target-unseen": "fail", "no-leak": "pass", "ids": "pass",
    }  # fmt: skip
    assert found["target-unseen"].evidence.startswith("100.0% of test targets")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_held_out_rows_in_training_are_named(case, copy, named, split):
    folder = copy("data")
    path, rows = artifact(folder, "sequences.safetensors"), Rows.load(artifact(folder, f"{split}.safetensors"))
    sequences = Sequences.load(path)
    targets = dict(zip(rows.users.tolist(), rows.targets.tolist(), strict=True))
    parts = [
        [*sequences.items[a:b], *([targets[user]] if user in targets else [])]
        for a, b, user in zip(sequences.offsets[:-1], sequences.offsets[1:], sequences.users.tolist(), strict=True)
    ]
    offsets = np.cumsum([0, *map(len, parts)])
    Sequences(np.concatenate(parts).astype(np.int32), offsets, sequences.users).save(path)
    evidence = named(case(altered={"data": folder}), "no-leak").evidence
    assert ("validation targets are trained on" if split == "validation" else "do not begin as") in evidence


def test_test_users_leaking_into_training_are_named(case, chain_of_users, named):
    altered = chain_of_users
    assert "users of test rows are trained on" in named(case(altered={"data": altered}), "no-leak").evidence


@pytest.fixture
def chain_of_users(done, copy):
    """A split that holds whole users out, into whose training one test user was put."""
    folder = copy("data")
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


def test_users_apart_are_sound(case, chain_of_users, look):
    folder = chain_of_users
    path = artifact(folder, "sequences.safetensors")
    sequences = Sequences.load(path)
    Sequences(sequences.items[: sequences.offsets[40]], sequences.offsets[:41], sequences.users[:40]).save(path)
    assert look(case(altered={"data": folder}), "no-leak")["no-leak"].verdict == "pass"


def test_shuffled_labels_are_named(case, named, monkeypatch):
    sound = BatchSampler.__call__

    def shuffled(self, step):
        batch = sound(self, step)
        order = torch.randperm(len(batch.targets), generator=torch.Generator().manual_seed(step))
        return type(batch)(
            batch.items, batch.targets[order], batch.events, batch.packed, batch.weights, batch.positions
        )

    monkeypatch.setattr(BatchSampler, "__call__", shuffled)
    assert "targets are not the event that follows" in named(case("data"), "first-batches").evidence


def test_labels_shifted_by_one_are_named(case, named, monkeypatch):
    sound = BatchSampler.__call__

    def shifted(self, step):
        batch = sound(self, step)
        return type(batch)(batch.items, batch.items, batch.events, batch.packed, batch.weights, batch.positions)

    monkeypatch.setattr(BatchSampler, "__call__", shifted)
    named(case("data"), "first-batches")


def test_a_catalogue_without_titles_is_named(case, copy, named):
    folder = copy("data")
    profile = json.loads(artifact(folder, "profile.json").read_text())
    profile["titles"]["missing"] = 70
    artifact(folder, "profile.json").write_text(json.dumps(profile))
    path = artifact(folder, "items.parquet")
    table = pq.read_table(path)
    names = [f"item {raw}" for raw in table["raw"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("title"), "title", [names]), path)
    assert "70 of 80 items have no title" in named(case(altered={"data": folder}), "titles").evidence
