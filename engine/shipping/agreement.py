"""Whether an exported model ranks as ours does.

Letters: R rows, B rows at once, T length of the longest, n items, K list length.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.ids import PADDING, rows
from engine.data.sequences import Sequences
from engine.errors import RunError
from engine.metrics.ranking import blocks, history_pairs, score_items
from engine.recommend.histories import Histories
from engine.recommend.recommendations import vectors
from engine.shipping.onnx_file import Answer
from engine.student.model import SequenceModel

ROWS = 1000  # that are compared, at most
TOLERANCE = 1e-4  # of the largest score or vector component: float32 in another order of operations


@dataclass(frozen=True)
class Agreement:
    """The largest absolute differences between two rankings of the same rows."""

    rows: int
    scores: float
    users: float
    scale: float  # largest absolute score or vector component of ours

    @property
    def close(self) -> bool:
        return max(self.scores, self.users) <= TOLERANCE * max(1.0, self.scale)


def some_histories(sequences: Sequences, count: int = ROWS) -> Histories:
    """Training histories of at most ``count`` users, spread over all of them."""
    chosen = np.unique(np.linspace(0, len(sequences) - 1, min(count, len(sequences))).round().astype(np.int64))
    parts = [sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]] for user in chosen]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    flat = np.concatenate([np.zeros(0, dtype=np.int32), *parts]).astype(np.int32)
    return Histories([str(user) for user in chosen], flat, offsets, [])


@torch.no_grad()
def compare(
    answer: Callable[[NDArray[np.int64]], Answer], model: SequenceModel, histories: Histories, hide_seen: bool
) -> Agreement:
    """Our ranking of the histories against that of ``answer``.

    Its scores are compared with ours of the same items, and ours of its list with our best scores: items that tie may
    stand in another order, and a wrong item shows.
    """
    users, (table, bias) = vectors(model, histories), model.item_table()
    start, stop = histories.offsets[:-1], histories.offsets[1:]
    flat = tuple(torch.from_numpy(part) for part in (histories.items.astype(np.int64), start, stop))
    score, user, scale = 0.0, 0.0, float(users.abs().max())
    for number, block in enumerate(blocks(len(users), rows(model.items), "cpu")):
        ours = score_items(users[block], table, bias)
        if hide_seen:
            ours[history_pairs((flat[0], flat[1], flat[2]), block)] = -torch.inf
        items, scores, vector = (torch.from_numpy(part) for part in answer(padded(histories, block, number % 2 == 0)))
        best = ours.topk(items.shape[1], dim=1).values
        score = max(score, _difference(scores, best), _difference(ours.gather(1, items), best))
        user = max(user, float((vector[:, : users.shape[1]] - users[block]).abs().max()))
        scale = max(scale, float(best[best.isfinite()].abs().max()) if best.isfinite().any() else 0.0)
    return Agreement(len(users), score, user, scale)


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference; infinite where only one is a number, none where both are minus infinity."""
    same = one == other
    return float(torch.where(same, 0.0, (one - other).abs().nan_to_num(torch.inf)).max())


def padded(histories: Histories, block: slice, right: bool) -> NDArray[np.int64]:  # -> [B, T]
    """The histories of the block, padded on the right or on the left."""
    start, stop = histories.offsets[:-1][block], histories.offsets[1:][block]
    longest = max(1, int((stop - start).max()))
    grid = np.full((len(start), longest), PADDING, dtype=np.int64)
    for row, (first, last) in enumerate(zip(start, stop, strict=True)):
        part = histories.items[first:last]
        grid[row, slice(0, len(part)) if right else slice(longest - len(part), None)] = part
    return grid


def require(found: Agreement, file: str) -> None:
    """RunError where the rankings differ by more than rounding."""
    if not found.close:
        raise RunError(
            f"the exported model ranks otherwise than this one: scores differ by up to {found.scores:.3g}, user "
            f"vectors by {found.users:.3g} over {found.rows:,} histories, so it was not written",
            location=file,
            remedy="Use --format safetensors, or another version of PyTorch's exporter (packages onnx and onnxscript).",
        )
