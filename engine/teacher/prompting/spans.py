"""Which stretches of the histories become prompts, and after which of their items a prediction is made.

Letters: E events of the training sequences, Q prompts, P supervised positions, R held-out rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences

Ints = NDArray[np.int64]
STRETCH = 16  # batches that share out their prompts among each other


@dataclass(frozen=True)
class PromptSpans:
    """Prompt q shows ``items[start:stop]``; a prediction is made after each of the last ``count`` of them."""

    items: NDArray[np.int32]  # [E] item ids
    start: Ints  # [Q]
    stop: Ints  # [Q]
    count: Ints  # [Q]

    def __len__(self) -> int:
        return len(self.start)

    def some(self, chosen: Ints | slice) -> "PromptSpans":
        """The prompts at these indices."""
        return PromptSpans(self.items, self.start[chosen], self.stop[chosen], self.count[chosen])

    @property
    def history(self) -> Ints:  # [Q, L] item ids, padding on the right
        """The items that each prompt shows."""
        length = self.stop - self.start
        column = np.arange(max(1, int(length.max(initial=0))))
        real = column < length[:, None]
        return np.where(real, self.items[np.where(real, self.start[:, None] + column, 0)], PADDING).astype(np.int64)

    @property
    def positions(self) -> tuple[Ints, Ints]:  # [P], [P]
        """(prompt, index in ``items`` of the last item shown) of every supervised position, in order."""
        prompt = np.repeat(np.arange(len(self)), self.count)
        return prompt, (self.stop - self.count)[prompt] + within(self.count)

    @property
    def first_position(self) -> Ints:  # [Q]
        """Index of each prompt's first supervised position."""
        return np.cumsum(self.count) - self.count

    def positions_of(self, chosen: Ints) -> Ints:
        """Indices of all supervised positions of some prompts."""
        count = self.count[chosen]
        return np.repeat(self.first_position[chosen], count) + within(count)


def within(count: Ints) -> Ints:
    """0, 1, ..., count_q - 1 for each q, one after the other."""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)


def training_spans(
    sequences: Sequences, history: int, targets: int, offsets: Ints | int = 0, last_position: bool = False
) -> PromptSpans:
    """Every event but the first of each sequence is predicted once, up to ``targets`` of one user in one prompt.

    At least the ``history`` latest items before the first of them are shown. ``offsets`` [U] shift the cuts between a
    user's prompts, so that over epochs an event is predicted after stretches of different length. ``last_position``
    adds a prediction after the last event of every sequence that has two.
    """
    first, end = sequences.offsets[:-1], sequences.offsets[1:]
    end = end + (last_position & (end - first > 1))
    events = np.maximum(end - first - 1, 0)  # to be predicted
    shift = np.broadcast_to(np.asarray(offsets) % targets, first.shape)
    pieces = np.where(events > 0, -(-(events + shift) // targets), 0)
    user = np.repeat(np.arange(len(first)), pieces)
    order = within(pieces)
    begin = first[user] + 1 + np.maximum(order * targets - shift[user], 0)
    stop = np.minimum(first[user] + 1 + (order + 1) * targets - shift[user], end[user])
    return PromptSpans(sequences.items, np.maximum(first[user], begin - history), stop - 1, stop - begin)


def heldout_spans(rows: Rows, history: int) -> PromptSpans:
    """One prompt per held-out row, with a prediction after its history; none after an empty history."""
    start = np.maximum(rows.start, rows.stop - history)
    return PromptSpans(rows.items, start, rows.stop, np.minimum(1, rows.stop - start))


def length_batches(lengths: Ints, size: int, generator: np.random.Generator | None = None) -> list[Ints]:
    """Indices of each batch of ``size`` prompts of similar length, which need little padding.

    With a generator the order is random: sorted only within stretches of sixteen batches, which come in random order.
    """
    order = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    pool = STRETCH * size if generator is not None else max(1, len(lengths))
    batches = []
    for start in range(0, len(order), pool):
        stretch = order[start : start + pool]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        batches += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    if generator is not None:
        batches = [batches[index] for index in generator.permutation(len(batches))]
    return batches


def even_batches(lengths: Ints, size: int, generator: np.random.Generator) -> list[Ints]:
    """Indices of each batch of ``size`` prompts in random order, each with short and long ones in like numbers.

    Sixteen random batches at a time are sorted by length, and each takes one of every sixteen neighbours: the sums of
    the lengths are then almost the same. What is left over makes a smaller batch.
    """
    order = generator.permutation(len(lengths))
    whole = len(order) // size * size
    batches = [order[whole:]] if whole < len(order) else []
    for start in range(0, whole, STRETCH * size):
        stretch = order[start : min(start + STRETCH * size, whole)]
        ranked = stretch[np.argsort(lengths[stretch], kind="stable")].reshape(size, -1)
        batches += list(generator.permuted(ranked, axis=1).T)
    return [batches[index] for index in generator.permutation(len(batches))]


def filled_batches(lengths: Ints, tokens: int, generator: np.random.Generator) -> list[Ints]:
    """Indices of each batch in random order, as many prompts as have at most ``tokens``; a longer one comes alone."""
    order = generator.permutation(len(lengths))
    ends = np.cumsum(lengths[order])
    batches, begin = [], 0
    while begin < len(order):
        before = ends[begin] - lengths[order[begin]]
        stop = max(begin + 1, int(np.searchsorted(ends, before + tokens, side="right")))
        batches.append(order[begin:stop])
        begin = stop
    return batches
