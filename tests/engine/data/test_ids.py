"""Ids are indices: the padding is 0, items are 1..n in the natural order of their raw ids."""

import numpy as np
import pyarrow as pa
import pytest

from engine.data import ids


def test_raw_ids_that_are_numbers_are_ordered_as_numbers() -> None:
    assert ids.natural_order(pa.array(["10", "9", "100", "0"])).tolist() == [3, 1, 0, 2]


def test_raw_ids_with_a_leading_zero_are_text_and_stay_apart() -> None:
    assert ids.natural_order(pa.array(["7", "10", "007"])).tolist() == [2, 1, 0]


def test_numbers_too_large_for_a_number_are_ordered_as_text() -> None:
    assert ids.natural_order(pa.array(["9" * 30, "1" * 31])).tolist() == [1, 0]


def test_items_get_ids_from_one_on_and_absent_ones_the_padding() -> None:
    of_code, position = ids.assign(pa.array(["c", "a", "d", "b"]), np.array([True, True, False, True]))
    assert of_code.tolist() == [3, 1, ids.PADDING, 2]
    assert position.tolist() == [1, 3, 0]


def test_no_items_at_all_get_no_ids() -> None:
    of_code, position = ids.assign(pa.array([], pa.string()), np.zeros(0, dtype=bool))
    assert len(of_code) == len(position) == 0


def test_zero_based_ids_come_back_from_ours() -> None:
    ours = ids.from_zero_based([0, 4, 5], padding=5)
    assert ours.tolist() == [1, 5, ids.PADDING]
    assert ids.to_zero_based(ours[:2]).tolist() == [0, 4]


def test_the_padding_has_no_zero_based_id() -> None:
    with pytest.raises(ValueError, match="padding"):
        ids.to_zero_based([1, 0])


def test_scores_get_a_padding_column_that_never_wins() -> None:
    scores = ids.with_padding(np.array([[0.1, 0.2, 0.3]], dtype=np.float32), np.array([2, 0, 1]))
    assert scores.shape == (1, ids.rows(3)) and scores[0, 0] == -np.inf
    assert scores[0, 1:].tolist() == np.float32([0.3, 0.1, 0.2]).tolist()
