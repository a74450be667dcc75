"""Which questions are put to the teacher: stretches of histories, each with the positions that are to be answered.

Letters: E events of the training sequences, Q questions, S supervised positions of a question, R held-out rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PromptSpans:
    """Question q shows ``items[start:stop]`` and is answered after each of the last ``count`` of them."""

    items: NDArray[np.int32]  # [E] item ids
    start: Ints  # [Q]
    stop: Ints  # [Q]
    count: Ints  # [Q]

    def __len__(self) -> int:
        return len(self.start)

    def some(self, chosen: Ints | slice) -> "PromptSpans":
        """The questions at these places."""
        return PromptSpans(self.items, self.start[chosen], self.stop[chosen], self.count[chosen])

    @property
    def history(self) -> Ints:  # [Q, L] item ids, padding on the right
        """What each question shows."""
        length = self.stop - self.start
        places = np.arange(max(1, int(length.max(initial=0))))
        real = places < length[:, None]
        return np.where(real, self.items[np.where(real, self.start[:, None] + places, 0)], PADDING).astype(np.int64)

    @property
    def asked(self) -> tuple[Ints, Ints]:
        """(question, place in ``items`` of the last item shown) of every supervised position, in order."""
        question = np.repeat(np.arange(len(self)), self.count)
        return question, (self.stop - self.count)[question] + within(self.count)


def within(count: Ints) -> Ints:
    """0, 1, ..., count_q - 1 for each q, one after the other."""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)


def of_training(
    sequences: Sequences, history: int, targets: int, offsets: Ints | int = 0, last_position: bool = False
) -> PromptSpans:
    """Every event but the first of each sequence, asked for once: up to ``targets`` of one user in one question.

    At least the ``history`` latest items before the first of them are shown. ``offsets`` [U] move the cuts between a
    user's questions, so that over epochs an event is asked for after stretches of different length. ``last_position``
    adds what follows the last event of every sequence that has two.
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


def of_rows(rows: Rows, history: int) -> PromptSpans:
    """One question per held-out row: what comes after its history."""
    start = np.maximum(rows.start, rows.stop - history)
    return PromptSpans(rows.items, start, rows.stop, np.minimum(1, rows.stop - start))


def in_batches(lengths: Ints, size: int, generator: np.random.Generator | None = None) -> list[Ints]:
    """Places of each batch of ``size``, questions of like length together so that little is padding.

    With a generator the order is random: sorted only within stretches of sixteen batches, which come in random order.
    """
    order = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    pool = 16 * size if generator is not None else max(1, len(lengths))
    batches = []
    for start in range(0, len(order), pool):
        stretch = order[start : start + pool]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        batches += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    if generator is not None:
        batches = [batches[place] for place in generator.permutation(len(batches))]
    return batches
