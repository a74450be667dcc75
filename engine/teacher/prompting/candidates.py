"""Candidates offered in a prompt: the right item among others that the user has not seen.

Letters: B prompts, L places of a history, C candidates, n items.
"""

import numpy as np

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.errors import DataError


def offered(history: Ints, targets: Ints, items: int, count: int, draw: np.random.Generator) -> Ints:
    """[B, L] histories, [B] targets -> [B, C] item ids in random order, the target once among them.

    The others are drawn uniformly without replacement from the items that are neither in the history nor the target
    (REFERENCE a.3); what does not fit is drawn again.
    """
    if items - history.shape[1] - 1 < count - 1:
        raise DataError(
            f"{count} candidates cannot be drawn from {items} items beside a history of {history.shape[1]}",
            location="teacher.generate.candidates",
            remedy=f"Use at most {max(2, items - history.shape[1])} candidates, or a shorter teacher.history.",
        )
    found = np.full((len(targets), count), PADDING)
    found[:, 0] = targets
    while (empty := found == PADDING).any():
        found[empty] = draw.integers(1, items, int(empty.sum()), endpoint=True)
        wrong = (found[:, :, None] == history[:, None, :]).any(axis=2)
        order = np.argsort(found, axis=1, kind="stable")  # of equal items only the first one stays
        ordered = np.take_along_axis(found, order, axis=1)
        again = np.zeros_like(wrong)
        np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        wrong |= again
        wrong[:, 0] = False
        found[wrong] = PADDING
    return draw.permuted(found, axis=1)
