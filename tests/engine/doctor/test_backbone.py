"""Text vectors of other items, planted into the table of a finished backbone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.stages import ITEMS, TEXT_VECTORS
from tests.fixtures.doctor import Doctor
from tests.fixtures.encoders import encoder

CHECK = "text-vectors"


def altered(doctor: Doctor, change: Callable[[Tensor], Tensor]) -> dict[str, Path]:
    folder = doctor.copy("backbone")
    plant(folder, change)
    return {"backbone": folder}


def plant(folder: Path, change: Callable[[Tensor], Tensor]) -> None:
    path = folder / "artifacts" / TEXT_VECTORS.file
    tensors = load_file(path)
    save_file(tensors | {"vectors": change(tensors["vectors"]).contiguous()}, path)


def permuted(vectors: Tensor) -> Tensor:
    order = 1 + torch.randperm(len(vectors) - 1, generator=torch.Generator().manual_seed(0))
    return torch.cat([vectors[:1], vectors[order]])


def test_sound_vectors_pass_finished_or_not(doctor: Doctor) -> None:
    assert doctor.outcomes([CHECK], "data", "backbone")[CHECK].verdict == "pass"
    assert doctor.outcomes([CHECK], "data")[CHECK].verdict == "pass"


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("text", ["title", "title-and-text"])
def test_other_texts_and_poolings_are_none(doctor: Doctor, pooling: str, text: str) -> None:
    other = replace(doctor.settings, backbone=replace(doctor.settings.backbone, pooling=pooling, text=text))
    assert doctor.outcomes([CHECK], "data", config=other)[CHECK].verdict == "pass"


@pytest.mark.parametrize("source", ["scratch", "none"])
@pytest.mark.parametrize("reduction", [{}, {"whiten": True}, {"dimension": 8}])
def test_vectors_of_a_sentence_encoder_whitened_or_not_pass_and_a_permuted_table_of_them_is_named(
    doctor: Doctor, tmp_path: Path, source: str, reduction: dict[str, Any]
) -> None:
    chosen = {"source": source, "text_model": str(encoder(tmp_path / "encoder"))} | reduction
    settings = doctor.settings
    other = replace(
        settings,
        backbone=replace(settings.backbone, **chosen),
        knowledge=replace(settings.knowledge, models=["student"], item_vectors="text"),
        evaluate=replace(settings.evaluate, models=["student", "distilled"]),
    )
    folder = doctor.case("data", config=other).dry_run("backbone").folder
    assert doctor.outcomes([CHECK], "data", altered={"backbone": folder}, config=other)[CHECK].verdict == "pass"
    plant(folder, permuted)
    outcome = doctor.fault(CHECK, "data", altered={"backbone": folder}, config=other)
    assert " has the vector of " in outcome.evidence


def test_reduced_vectors_without_their_map_cannot_be_read_again(doctor: Doctor) -> None:
    whitened = replace(doctor.settings, backbone=replace(doctor.settings.backbone, whiten=True))
    outcome = doctor.outcomes([CHECK], "data", "backbone", config=whitened)[CHECK]
    assert outcome.verdict == "skip" and "earlier version" in outcome.evidence


def test_items_that_share_their_text_are_none(doctor: Doctor) -> None:
    data = doctor.copy("data")
    path = data / "artifacts" / ITEMS.file
    table = pq.read_table(path)
    titles = [("Solaris", "Stalker", "Mirror")[at % 3] for at in range(len(table))]
    pq.write_table(table.set_column(table.column_names.index("title"), "title", [titles]), path)
    assert doctor.outcomes([CHECK], altered={"data": data})[CHECK].verdict == "pass"


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_rounded_vectors_are_none(doctor: Doctor, precision: torch.dtype) -> None:
    runs = altered(doctor, lambda vectors: vectors.to(precision).float())
    assert doctor.outcomes([CHECK], "data", altered=runs)[CHECK].verdict == "pass"


def test_a_permuted_table_is_named(doctor: Doctor) -> None:
    outcome = doctor.fault(CHECK, "data", altered=altered(doctor, permuted))
    assert "24 of 24 texts" in outcome.evidence or "23 of 24 texts" in outcome.evidence
    assert "permuted" in outcome.cause and " has the vector of " in outcome.evidence


def test_a_table_that_is_shifted_by_one_is_named(doctor: Doctor) -> None:
    runs = altered(doctor, lambda vectors: torch.cat([vectors[:1], vectors[1:].roll(1, dims=0)]))
    doctor.fault(CHECK, "data", altered=runs)


def test_a_table_without_the_padding_or_with_a_vector_for_it_is_named(doctor: Doctor) -> None:
    runs = altered(doctor, lambda vectors: vectors[1:])
    assert "80 vectors for 80 items and the padding" in doctor.fault(CHECK, "data", altered=runs).evidence


def test_a_vector_of_the_padding_is_named(doctor: Doctor) -> None:
    runs = altered(doctor, lambda vectors: torch.cat([vectors[-1:], vectors[1:]]))
    assert "the padding has a vector" in doctor.fault(CHECK, "data", altered=runs).evidence
