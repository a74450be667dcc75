"""Every event is predicted once, and no prompt shows its target."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.sequences import Rows, Sequences
from engine.teacher.prompting.spans import (
    PromptSpans,
    even_batches,
    filled_batches,
    heldout_spans,
    length_batches,
    training_spans,
)


def sequences(lengths: list[int]) -> Sequences:
    """User u's k-th item is 100 u + k + 1, which shows where an item comes from."""
    items = [100 * user + k + 1 for user, length in enumerate(lengths) for k in range(length)]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Sequences(np.asarray(items, dtype=np.int32), offsets, np.arange(len(lengths)))


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 12), st.integers(0, 50))
def test_every_event_but_the_first_is_predicted_exactly_once(
    lengths: list[int], targets: int, history: int, shift: int
) -> None:
    data = sequences(lengths)
    offsets = (np.arange(len(lengths)) * 7 + shift) % targets
    spans = training_spans(data, history, targets, offsets)
    _, last = spans.positions
    expected = [data.offsets[u] + k for u, length in enumerate(lengths) for k in range(length - 1)]
    assert last.tolist() == expected  # of the last item shown; the target comes next
    assert (spans.count >= 1).all() and (spans.count <= targets).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 12))
def test_with_last_position_every_sequence_of_two_events_also_gets_a_prediction_after_its_last(
    lengths: list[int], targets: int, history: int
) -> None:
    data = sequences(lengths)
    spans = training_spans(data, history, targets, last_position=True)
    _, last = spans.positions
    assert last.tolist() == [data.offsets[u] + k for u, size in enumerate(lengths) if size > 1 for k in range(size)]
    assert (spans.stop - spans.start <= history + targets - 1).all()
    assert (spans.items[spans.start] // 100 == spans.items[spans.stop - 1] // 100).all()  # one user's


@settings(deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=5), st.integers(1, 9), st.integers(1, 12))
def test_a_prompt_shows_the_users_latest_items_and_no_target(lengths: list[int], targets: int, history: int) -> None:
    data = sequences(lengths)
    spans = training_spans(data, history, targets)
    prompt, last = spans.positions
    for q, shown in enumerate(spans.history):
        shown = shown[shown > 0]
        first, final = last[prompt == q][[0, -1]]
        user = int(np.searchsorted(data.offsets, first, side="right")) - 1
        assert shown.tolist() == data.items[max(data.offsets[user], first + 1 - history) : final + 1].tolist()
        assert data.items[final + 1] not in shown and final + 1 < data.offsets[user + 1]


def test_a_held_out_row_is_predicted_after_its_last_item() -> None:
    rows = Rows(np.asarray([4, 5, 6, 7], dtype=np.int32), np.asarray([0, 0]), np.asarray([3, 0]), np.asarray([0, 1]))
    spans = heldout_spans(rows, 2)
    assert spans.history.tolist() == [[5, 6], [0, 0]]
    assert spans.count.tolist() == [1, 0]  # nothing is predicted after an empty history


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), max_size=70), st.integers(1, 9), st.booleans())
def test_batches_hold_every_prompt_once(lengths: list[int], size: int, shuffled: bool) -> None:
    batches = length_batches(np.asarray(lengths, dtype=np.int64), size, np.random.default_rng(0) if shuffled else None)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)


def test_batches_of_like_length_hold_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 1000)
    batches = length_batches(lengths, 16, np.random.default_rng(1))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.15 * lengths.sum()


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 9))
def test_even_batches_hold_every_prompt_once_in_batches_of_one_size(lengths: list[int], size: int) -> None:
    batches = even_batches(np.asarray(lengths, dtype=np.int64), size, np.random.default_rng(0))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert sorted(len(batch) for batch in batches)[1:] == [size] * (len(batches) - 1)
    assert len(batches) == -(-len(lengths) // size)


def test_even_batches_have_sums_that_differ_less_than_those_of_random_ones_and_other_prompts_each_time() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 1024)
    one, two = (even_batches(lengths, 16, np.random.default_rng(seed)) for seed in (1, 2))
    random = np.random.default_rng(3).permutation(lengths).reshape(-1, 16).sum(axis=1)
    assert np.std([lengths[batch].sum() for batch in one]) < 0.3 * np.std(random)
    assert not any(set(batch) == set(other) for batch in one for other in two)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), max_size=90), st.integers(1, 120))
def test_filled_batches_hold_every_prompt_once_and_as_many_tokens_as_fit(lengths: list[int], tokens: int) -> None:
    length = np.asarray(lengths, dtype=np.int64)
    batches = filled_batches(length, tokens, np.random.default_rng(0))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(length[batch].sum() <= tokens or len(batch) == 1 for batch in batches)
    for batch, following in pairwise(batches):
        assert length[batch].sum() + length[following[0]] > tokens


def test_some_spans_keep_what_they_are() -> None:
    spans = training_spans(sequences([9, 4]), 3, 2)
    some = spans.some(np.asarray([2, 0]))
    assert (
        isinstance(some, PromptSpans)
        and some.history[0][some.history[0] > 0].tolist() == spans.history[2, spans.history[2] > 0].tolist()
    )


def test_positions_of_some_prompts_are_those_of_all_at_their_indices() -> None:
    spans = training_spans(sequences([9, 4, 1, 6]), 3, 2)
    chosen = np.asarray([3, 0, 5])
    _, last = spans.positions
    assert last[spans.positions_of(chosen)].tolist() == spans.some(chosen).positions[1].tolist()
