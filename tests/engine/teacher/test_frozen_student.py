"""The frozen student's states, computed together, are those of each row by itself."""

import copy

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config import load
from engine.data.sequences import Rows, Sequences
from engine.student.cold_items import ColdItems
from engine.student.model import SequenceModel
from engine.teacher.frozen_student import FrozenStudent, windows


def student(longest: int = 5) -> FrozenStudent:
    torch.manual_seed(0)
    settings = load(["student.hidden=8", f"student.max_length={longest}", "student.blocks=1"]).student
    return FrozenStudent.of(SequenceModel(30, settings).eval())


def test_the_state_after_each_event_is_that_of_its_own_history() -> None:
    """Also beyond the longest window, where the oldest items drop out one by one."""
    made, draw = student(), np.random.default_rng(0)
    offsets = np.asarray([0, 12, 13, 20])
    data = Sequences(draw.integers(1, 31, 20).astype(np.int32), offsets, np.arange(3))
    states = made.after_events(data, "cpu", lambda done, total: None)
    for user in range(3):
        for event in range(offsets[user], offsets[user + 1]):
            history = data.items[max(offsets[user], event - 4) : event + 1].astype(np.int64)
            alone = made.model.user_vectors(torch.from_numpy(history)[None])[0]
            torch.testing.assert_close(states[event], alone)


def test_a_held_out_rows_state_does_not_see_its_target() -> None:
    made = student()
    items = np.asarray([3, 4, 5, 6], dtype=np.int32)
    other = np.asarray([3, 4, 5, 9], dtype=np.int32)
    span = np.asarray([0]), np.asarray([3]), np.asarray([0])
    found = [made.after_rows(Rows(kept, *span), "cpu", lambda done, total: None) for kept in (items, other)]
    assert torch.equal(*found)


def test_the_student_is_frozen() -> None:
    made = student()
    assert not any(value.requires_grad for value in made.model.parameters()) and not made.table.requires_grad
    assert not made.model.training


def test_cold_items_are_read_and_scored_as_items_of_similar_text() -> None:
    torch.manual_seed(0)
    for name in ("sasrec", "gru4rec"):
        settings = load([f"student={name}", "student.hidden=8", "student.max_length=5"]).student
        trained, text = SequenceModel(30, settings).eval(), torch.randn(31, 6)
        text[7] = text[9]
        before = FrozenStudent.of(copy.deepcopy(trained))
        made = FrozenStudent.of(trained, ColdItems(torch.arange(31) == 7, text))
        others = torch.arange(31) != 7
        assert torch.equal(made.table[others], before.table[others]) and not torch.equal(made.table[7], before.table[7])
        assert float(torch.cosine_similarity(made.table[7], made.table[9], dim=0)) > 0.99
        if made.bias is not None and before.bias is not None:
            assert float((made.bias[7] - made.bias[9]).abs()) < 0.01 and torch.equal(
                made.bias[others], before.bias[others]
            )
        rows = Rows(np.asarray([7, 3, 9, 3], dtype=np.int32), np.asarray([0, 2]), np.asarray([1, 3]), np.arange(2))
        cold, warm = made.after_rows(rows, "cpu", lambda done, total: None)
        assert float(torch.cosine_similarity(cold, warm, dim=0)) > 0.99


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=5), longest=st.integers(1, 20))
def test_every_event_has_one_state_after_enough_of_its_history(lengths: list[int], longest: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    user = np.repeat(np.arange(len(lengths)), lengths)
    read = {
        event: (start, stop)
        for start, own, stop in zip(*windows(offsets, longest), strict=True)
        for event in range(own, stop)
    }
    assert sorted(read) == list(range(offsets[-1]))
    for event, (start, stop) in read.items():
        first, end = offsets[user[event]], offsets[user[event] + 1]
        whole = min(event + 1 - first, longest)
        assert first <= start <= event < stop <= end and stop - start <= longest
        assert event + 1 - start >= (whole if whole < longest or event == end - 1 else 0.75 * longest)


def test_states_beyond_the_longest_window_are_those_of_their_own_window() -> None:
    made = student(8)
    data = Sequences(
        np.random.default_rng(0).integers(1, 31, 40).astype(np.int32), np.asarray([0, 3, 40]), np.arange(2)
    )
    states = made.after_events(data, "cpu", lambda done, total: None)
    for start, own, stop in zip(*windows(data.offsets, 8), strict=True):
        for event in range(own, stop):
            history = torch.from_numpy(data.items[start : event + 1].astype(np.int64))
            torch.testing.assert_close(states[event], made.model.user_vectors(history[None])[0])


def test_long_histories_are_read_a_few_times_and_not_once_an_event() -> None:
    start, _, stop = windows(np.asarray([0, 2000]), 200)
    assert (stop - start).sum() <= 4 * 2000
