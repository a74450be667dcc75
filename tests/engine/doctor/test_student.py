"""A student that takes an item for padding, reads padding, or sees the future."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine import config
from engine.metrics import ranking
from engine.student import attention, model, packed_sequences
from tests.fixtures.doctor import Doctor


def test_a_sound_student_reads_every_item_no_padding_and_no_future(doctor: Doctor) -> None:
    found = doctor.outcomes(
        ("padding-is-ignored", "causal-mask"),
        "data",
        "student",
    )
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass"]


@pytest.mark.parametrize("longest", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["sasrec", "gru4rec"])
def test_students_that_read_few_items_are_none(doctor: Doctor, kind: str, longest: int) -> None:
    other = config.load([f"student={kind}", "student.hidden=16", f"student.max_length={longest}"])
    settings = replace(doctor.settings, student=other.student)
    found = doctor.outcomes(("padding-is-ignored", "causal-mask"), "data", config=settings)
    assert [outcome.verdict for outcome in found.values()] == ["pass", "skip" if longest == 1 else "pass"], found


@pytest.mark.parametrize(("padding", "item"), [(1, "id 1"), (80, "id 80")])
def test_an_item_taken_for_padding_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, padding: int, item: str
) -> None:
    for module in (packed_sequences, model):
        monkeypatch.setattr(module, "PADDING", padding)
    assert f"({item}) in a history changes nothing" in doctor.fault("padding-is-ignored", "data", "student").evidence


def test_padding_that_is_read_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_real(history: Any) -> Any:
        real = torch.ones_like(history, dtype=torch.bool)
        return packed_sequences.ragged(real.sum(dim=1), history.shape[1])[0], real

    monkeypatch.setattr(model, "of_histories", all_real)
    evidence = doctor.fault("padding-is-ignored", "data", "student").evidence
    assert "padding before a history changes the output" in evidence


def test_a_padding_column_with_a_score_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "score_items", lambda users, table, bias=None: users @ table.T)
    assert "scores: padding" in doctor.fault("padding-is-ignored", "data", "student").evidence


def test_score_columns_without_the_padding_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = model.SequenceModel.item_table

    def without(self: Any) -> Any:
        table, bias = sound(self)
        return table[1:], bias

    monkeypatch.setattr(model.SequenceModel, "item_table", without)
    assert (
        "80 score columns for 80 items and the padding"
        in doctor.fault("padding-is-ignored", "data", "student").evidence
    )


def test_a_table_a_row_too_short_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.student.network.rows", lambda items: items)
    assert "Error" in doctor.fault("student-dry-run", "data").evidence


def test_a_missing_causal_mask_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def unmasked(qkv: Any, positions: Any, heads: Any, dropout: Any) -> Any:
        q, k, v = attention._heads_apart(qkv, positions, 3, heads)
        mixed = torch.softmax(q @ k.transpose(1, 2) / q.shape[2] ** 0.5, dim=2) @ v
        return attention._heads_together([mixed], positions, heads)

    monkeypatch.setattr("engine.student.sasrec.causal_attention", unmasked)
    assert "relative change of earlier states" in doctor.fault("causal-mask", "data", "student").evidence
