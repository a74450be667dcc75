"""Imported rankings before they are stored as knowledge."""

import math

import numpy as np
import torch

from engine.data.sequences import Sequences
from engine.knowledge.imported import SURE, confidence, without_seen
from engine.knowledge.rankings import Rankings


def test_items_of_the_rows_own_history_move_to_the_end_infinitely_far() -> None:
    data = Sequences(np.asarray([9, 1, 2, 3], dtype=np.int32), np.asarray([0, 1, 4]), np.arange(2))
    items = torch.tensor([[1, 2, 4], [4, 2, 1]], dtype=torch.int32)
    found = Rankings(torch.tensor([2, 3]), items, torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]))
    hidden = without_seen(found, data, 10)
    assert hidden.items.tolist() == [[2, 4, 1], [4, 2, 1]]
    torch.testing.assert_close(hidden.distances, torch.tensor([[0.2, 0.3, math.inf], [0.1, math.inf, math.inf]]))
    assert found.items.tolist() == items.tolist()


def test_raw_distances_of_wide_vectors_give_equal_confidences() -> None:
    raw = 60 + torch.arange(5.0).repeat(3, 1)
    assert confidence(raw) < SURE < confidence(raw - 60)
