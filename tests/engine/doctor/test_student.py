"""A student that takes an item for padding, reads padding, or sees the future."""

import pytest
import torch

from engine.metrics import ranking
from engine.student import attention, model, packed_sequences


def test_a_sound_student_reads_every_item_no_padding_and_no_future(case, look):
    found = look(case("data", "student"), "padding-is-silent", "future-is-unseen")
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass"]


@pytest.mark.parametrize(("padding", "item"), [(1, "id 1"), (80, "id 80")])
def test_an_item_taken_for_padding_is_named(case, named, monkeypatch, padding, item):
    for module in (packed_sequences, model):
        monkeypatch.setattr(module, "PADDING", padding)
    assert f"({item}) in a history changes nothing" in named(case("data", "student"), "padding-is-silent").evidence


def test_padding_that_is_read_is_named(case, named, monkeypatch):
    def all_real(history):
        real = torch.ones_like(history, dtype=torch.bool)
        return packed_sequences.ragged(real.sum(dim=1), history.shape[1])[0], real

    monkeypatch.setattr(model, "of_histories", all_real)
    evidence = named(case("data", "student"), "padding-is-silent").evidence
    assert "padding before a history changes the answer" in evidence


def test_a_padding_column_with_a_score_is_named(case, named, monkeypatch):
    monkeypatch.setattr(ranking, "score_items", lambda users, table, bias=None: users @ table.T)
    assert "scores: padding" in named(case("data", "student"), "padding-is-silent").evidence


def test_score_columns_without_the_padding_are_named(case, named, monkeypatch):
    sound = model.SequenceModel.item_table

    def without(self):
        table, bias = sound(self)
        return table[1:], bias

    monkeypatch.setattr(model.SequenceModel, "item_table", without)
    assert (
        "80 score columns for 80 items and the padding" in named(case("data", "student"), "padding-is-silent").evidence
    )


def test_a_table_a_row_too_short_is_named(case, named, monkeypatch):
    monkeypatch.setattr("engine.student.sasrec.rows", lambda items: items)
    assert "Error" in named(case("data"), "student-runs").evidence


def test_a_missing_causal_mask_is_named(case, named, monkeypatch):
    def open_to_the_future(qkv, place, heads, dropout):
        q, k, v = attention._heads_apart(qkv, place, 3, heads)
        mixed = torch.softmax(q @ k.transpose(1, 2) / q.shape[2] ** 0.5, dim=2) @ v
        return attention._heads_together([mixed], place, heads)

    monkeypatch.setattr("engine.student.sasrec.causal_attention", open_to_the_future)
    assert "changes earlier states" in named(case("data", "student"), "future-is-unseen").evidence
