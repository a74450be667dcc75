import numpy as np

from engine.data.sequences import Rows
from engine.evaluate.slices import item_classes, percentiles, slices


def test_classes_follow_the_share_of_events_that_more_popular_items_have() -> None:
    counts = np.array([0, 50, 30, 10, 5, 5, 0])  # of 100 events
    assert item_classes(counts, head=0.5, tail=0.2).tolist()[1:] == ["head", "middle", "tail", "tail", "tail", "cold"]
    assert item_classes(counts, head=0.6, tail=0.1).tolist()[1:] == ["head", "head", "middle", "tail", "tail", "cold"]


def test_equally_popular_items_are_of_one_class() -> None:
    assert set(item_classes(np.array([0, *[3] * 10]), head=0.5, tail=0.2).tolist()[1:]) == {"head"}


def test_every_row_is_in_one_slice_of_each_kind() -> None:
    items = np.array([1, 2, 3, 4, 5, 6], dtype=np.int32)
    rows = Rows(items, np.zeros(4, dtype=np.int64), np.array([0, 2, 3, 5]), np.arange(4))  # targets 1, 3, 4, 6
    counts = np.array([0, 50, 30, 10, 5, 5, 0])
    found = {name: mask.tolist() for name, mask in slices(rows, counts, 0.5, 0.2, [2, 3]).items()}
    assert found == {
        "head": [True, False, False, False],
        "tail": [False, True, True, False],
        "cold": [False, False, False, True],
        "history 0-1": [True, False, False, False],
        "history 2-2": [False, True, False, False],
        "history 3+": [False, False, True, True],
    }


def test_repeated_targets_are_a_slice_of_their_own_where_there_are_any() -> None:
    items = np.array([1, 2, 1, 3], dtype=np.int32)
    rows = Rows(items, np.zeros(2, dtype=np.int64), np.array([2, 3]), np.arange(2))  # targets 1 (again) and 3
    found = {name: mask.tolist() for name, mask in slices(rows, np.array([0, 5, 5, 5]), 0.5, 0.2, [9]).items()}
    assert (found["repeats"], found["new items"]) == ([True, False], [False, True])
    assert not {"repeats", "new items"} & slices(rows.some(np.array([1])), np.array([0, 5, 5, 5]), 0.5, 0.2, [9]).keys()


def test_percentiles_put_the_most_popular_item_near_one_and_ties_together() -> None:
    assert percentiles(np.array([0, 9, 5, 5, 0]))[1:].tolist() == [7 / 8, 4 / 8, 4 / 8, 1 / 8]
    assert percentiles(np.array([0, 2, 2, 2, 2]))[1:].tolist() == [0.5] * 4
