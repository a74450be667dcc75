"""The texts that a language model is pre-trained on: training histories as lists of titles, and catalogue entries.

A history has the format of the teacher's prompts: title, slot, comma, title, slot.
Letters: n items, U users, B texts, M pieces of a text, T tokens.
"""

from collections.abc import Sequence

import numpy as np

from engine.backbone.pieces import Ints, Pieces
from engine.backbone.slots import SEPARATOR, Vocabulary
from engine.data.ids import PADDING
from engine.data.sequences import Sequences

EMPTY, BEGIN, COMMA, SLOT, TITLES = range(5)  # piece of item i's title: TITLES + i, of its text: _texts + i
NO_TARGET = -100


class Corpus:
    """Batches of token ids, each a function of (seed, step) alone."""

    def __init__(
        self,
        sequences: Sequences,
        titles: Sequence[str],  # of every item id, any text for the padding
        texts: Sequence[str],
        vocabulary: Vocabulary,
        *,
        context: int,
        batch: int,
        catalogue: float,
        held_out: float,
        seed: int,
    ) -> None:
        encode, space = vocabulary.encode, vocabulary.space
        begin = [] if vocabulary.begin is None else [vocabulary.begin]
        fixed = [[], begin, encode([SEPARATOR.strip()])[0], [vocabulary.history_slot]]
        named = encode([space + title for title in titles])
        described = encode([space + text if text else "" for text in texts])
        self._pieces = Pieces([*fixed, *named, *described])
        self._texts = TITLES + len(titles)
        self._sequences, self._padding = sequences, vocabulary.padding
        self.context, self.batch, self._seed = context, batch, seed
        self._items = np.flatnonzero(np.arange(len(titles)) != PADDING)
        self._catalogue = round(catalogue * batch)
        order = np.random.default_rng((seed, 0)).permutation(len(sequences))
        apart = max(1, round(held_out * len(order)))
        self.held_out, self._training = np.sort(order[:apart]), order[apart:]
        self.per_epoch = max(1, -(-len(self._training) // max(1, batch - self._catalogue)))

    def __call__(self, step: int) -> Ints:  # [B, T] token ids, padded on the right
        """The texts of a step: the next users of the epoch's order, each from a random event on, and some entries."""
        epoch, batch = divmod(step, self.per_epoch)
        users = max(1, self.batch - self._catalogue)
        order = np.random.default_rng((self._seed, 1, epoch)).permutation(self._training)
        chosen = order[batch * users : (batch + 1) * users]
        draw = np.random.default_rng((self._seed, 2, step))
        events = np.diff(self._sequences.offsets)[chosen]
        start = (draw.random(len(chosen)) * np.maximum(1, events // 2)).astype(np.int64)
        histories = self.histories(chosen, start)
        entries = self._entries(draw.choice(self._items, self._catalogue))
        return _stacked(histories, entries, self._padding)

    def histories(self, users: Ints, start: Ints | int = 0) -> Ints:  # -> [B, T] token ids
        """Each user's events from number ``start`` on as titles, as many tokens as the context holds."""
        first = self._sequences.offsets[:-1][users] + start
        length = self._sequences.offsets[1:][users] - first
        columns = np.arange(int(length.max(initial=1)))
        real = columns < length[:, None]
        items = np.where(real, self._sequences.items[np.where(real, first[:, None] + columns, 0)], PADDING)
        parts = np.stack(
            [
                np.where(real & (columns > 0), COMMA, EMPTY),
                np.where(real, TITLES + items, EMPTY),
                np.where(real, SLOT, EMPTY),
            ],
            axis=2,
        ).reshape(len(users), -1)
        return self._rows(parts)

    def _entries(self, items: Ints) -> Ints:
        parts = np.stack([TITLES + items, np.full(len(items), SLOT), self._texts + items], axis=1)
        return self._rows(parts)

    def _rows(self, parts: Ints) -> Ints:
        rows = np.concatenate([np.full((len(parts), 1), BEGIN), parts], axis=1)
        return self._pieces.rows(rows).padded(self._padding)[:, : self.context]


def targets(tokens: Ints, padding: int) -> Ints:  # [B, T] -> [B, T - 1]
    """What follows each token, and -100 where nothing does."""
    following = tokens[:, 1:]
    return np.where(following == padding, NO_TARGET, following)


def _stacked(first: Ints, second: Ints, padding: int) -> Ints:
    width = max(first.shape[1], second.shape[1])
    grown = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=padding) for part in (first, second)]
    return np.concatenate(grown)
