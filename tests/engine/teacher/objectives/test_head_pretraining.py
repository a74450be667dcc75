"""The head learns from text vectors alone what a person can see in the data."""

import numpy as np
import torch

from engine.data.sequences import Rows, Sequences
from engine.teacher.head import RankHead
from engine.teacher.objectives.head_pretraining import pretrain_head
from engine.teacher.objectives.rank_collator import visible_history
from engine.teacher.prompting.spans import heldout_spans, training_spans

PAIRS = 8  # items 1..8, each followed by its partner 9..16


def histories(count: int, seed: int) -> Sequences:
    """Two random items, a random one of the first eight, and its partner: only the latest item tells what follows."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(1, 2 * PAIRS + 1, (count, 4))
    rows[:, 2] = draw.integers(1, PAIRS + 1, count)
    rows[:, 3] = rows[:, 2] + PAIRS
    return Sequences(rows.reshape(-1).astype(np.int32), np.arange(0, 4 * count + 1, 4), np.arange(count))


def test_it_learns_the_partner_of_the_latest_item_from_their_texts() -> None:
    data, text = histories(200, 1), torch.eye(2 * PAIRS + 1)
    torch.manual_seed(0)
    head = RankHead(text, 4, 16, 0.0, True)
    read = head.read.weight.clone()
    pretrain_head(head, lambda draw: training_spans(data, 4, 3), 40, 0.02, 1, "cpu", lambda done, total: None)
    assert not head.training and torch.equal(head.read.weight, read)
    assert all(value.grad is None for value in head.parameters())
    new = histories(100, 2)
    rows = Rows(new.items, new.offsets[:-1], new.offsets[1:] - 1, new.users)
    with torch.no_grad():
        scores = head.text_queries(visible_history(heldout_spans(rows, 4), "cpu")) @ head.keys(head.text).T
    assert (scores.argmax(dim=1).numpy() == rows.targets).mean() > 0.95
