"""Validation ranks all items but those seen, whatever the size of its blocks."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows
from engine.metrics.selection import by_half
from engine.student import validation
from engine.student.model import SequenceModel
from engine.student.validation import Validation, user_vectors


@pytest.fixture
def rows() -> Rows:
    draw = np.random.default_rng(3)
    lengths = draw.integers(0, 12, 17)
    start = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    return Rows(draw.integers(1, 21, int((lengths + 1).sum())).astype(np.int32), start, start + lengths, np.arange(17))


@pytest.fixture
def model(settings: Callable[..., StudentSettings]) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(20, settings(initial=1.0)).eval()


@pytest.mark.parametrize(("at_once", "hide_seen"), [(1, True), (100, True), (1 << 27, True), (100, False)])
def test_ranks_are_those_of_a_loop_over_rows(
    monkeypatch: pytest.MonkeyPatch, rows: Rows, model: SequenceModel, at_once: int, hide_seen: bool
) -> None:
    monkeypatch.setattr(validation, "SCORES_AT_ONCE", at_once)
    ticks: list[None] = []
    ranks = Validation(rows, "cpu", hide_seen).ranks(model, lambda *_: ticks.append(None))
    table, _ = model.item_table()
    for row in range(len(rows)):
        history = rows.items[rows.start[row] : rows.stop[row]].tolist()
        target = int(rows.targets[row])
        with torch.no_grad():
            state = model.user_vectors(torch.tensor([history[-8:] or [0]]))[0]
            scores = (table @ state).tolist()
        hidden = history if hide_seen else []
        if target in hidden:
            assert ranks[row].item() == math.inf
            continue
        others = [item for item in range(1, 21) if item != target and item not in hidden]
        above = sum(scores[item] > scores[target] + 1e-6 for item in others)
        equal = sum(abs(scores[item] - scores[target]) <= 1e-6 for item in others)
        assert ranks[row].item() == 1 + above + equal / 2
    assert ticks


def test_the_metrics_are_the_means_over_rows(rows: Rows, model: SequenceModel) -> None:
    made = Validation(rows, "cpu")
    ranks = made.ranks(model)
    ndcg = torch.where(ranks <= 10, 1 / torch.log2(ranks + 1), 0)
    assert made(model) == {
        "val_recall@10": pytest.approx((ranks <= 10).double().mean().item()),
        "val_ndcg@10": pytest.approx(ndcg.mean().item()),
        **by_half(ndcg.numpy(), rows.users),
    }
    assert len(made) == 17


def test_only_the_latest_items_of_a_history_are_read(rows: Rows, model: SequenceModel) -> None:
    whole = user_vectors(model, rows.items, rows.start, rows.stop, "cpu")
    cut = user_vectors(model, rows.items, np.maximum(rows.start, rows.stop - model.max_length), rows.stop, "cpu")
    assert torch.equal(whole, cut)
