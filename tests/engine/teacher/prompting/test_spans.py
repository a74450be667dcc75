"""Every row is asked once, and no question shows what it asks for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.sequences import Rows, Sequences
from engine.teacher.prompting.spans import PromptSpans, in_batches, of_rows, of_training


def sequences(lengths: list[int]) -> Sequences:
    """User u's k-th item is 100 u + k + 1: a person can read off what was shown."""
    items = [100 * user + k + 1 for user, length in enumerate(lengths) for k in range(length)]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Sequences(np.asarray(items, dtype=np.int32), offsets, np.arange(len(lengths)))


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 12), st.integers(0, 50))
def test_every_event_but_the_first_is_asked_for_exactly_once(
    lengths: list[int], targets: int, history: int, shift: int
) -> None:
    data = sequences(lengths)
    offsets = (np.arange(len(lengths)) * 7 + shift) % targets
    questions = of_training(data, history, targets, offsets)
    _, place = questions.asked
    expected = [data.offsets[u] + k for u, length in enumerate(lengths) for k in range(length - 1)]
    assert place.tolist() == expected  # of the last item shown; the one asked for comes next
    assert (questions.count >= 1).all() and (questions.count <= targets).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 12))
def test_with_ends_it_is_also_asked_what_follows_the_last_event_of_all_who_have_two(
    lengths: list[int], targets: int, history: int
) -> None:
    data = sequences(lengths)
    questions = of_training(data, history, targets, last_position=True)
    _, place = questions.asked
    assert place.tolist() == [data.offsets[u] + k for u, size in enumerate(lengths) if size > 1 for k in range(size)]
    assert (questions.stop - questions.start <= history + targets - 1).all()
    assert (questions.items[questions.start] // 100 == questions.items[questions.stop - 1] // 100).all()  # one user's


@settings(deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=5), st.integers(1, 9), st.integers(1, 12))
def test_a_question_shows_the_users_latest_items_and_none_it_asks_for(
    lengths: list[int], targets: int, history: int
) -> None:
    data = sequences(lengths)
    questions = of_training(data, history, targets)
    question, place = questions.asked
    for q, shown in enumerate(questions.history):
        shown = shown[shown > 0]
        first, last = place[question == q][0], place[question == q][-1]
        user = int(np.searchsorted(data.offsets, first, side="right")) - 1
        assert shown.tolist() == data.items[max(data.offsets[user], first + 1 - history) : last + 1].tolist()
        assert data.items[last + 1] not in shown and last + 1 < data.offsets[user + 1]


def test_a_held_out_row_is_asked_after_its_last_item() -> None:
    rows = Rows(np.asarray([4, 5, 6, 7], dtype=np.int32), np.asarray([0, 0]), np.asarray([3, 0]), np.asarray([0, 1]))
    questions = of_rows(rows, 2)
    assert questions.history.tolist() == [[5, 6], [0, 0]]
    assert questions.count.tolist() == [1, 0]  # after nothing, nothing can be asked


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), max_size=70), st.integers(1, 9), st.booleans())
def test_batches_hold_every_question_once(lengths: list[int], size: int, shuffled: bool) -> None:
    batches = in_batches(np.asarray(lengths, dtype=np.int64), size, np.random.default_rng(0) if shuffled else None)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)


def test_batches_of_like_length_hold_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 1000)
    batches = in_batches(lengths, 16, np.random.default_rng(1))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.15 * lengths.sum()


def test_some_questions_keep_what_they_are() -> None:
    questions = of_training(sequences([9, 4]), 3, 2)
    some = questions.some(np.asarray([2, 0]))
    assert (
        isinstance(some, PromptSpans)
        and some.history[0][some.history[0] > 0].tolist() == questions.history[2, questions.history[2] > 0].tolist()
    )
