"""Ranks of the targets of one split by one model, under every protocol; each block of scores is computed once.

Letters: R rows, B rows of a block, n items, H items of a history, K items of a list, C candidates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.data import ids
from engine.data.sequences import Rows
from engine.evaluate.models import Scorer
from engine.metrics.candidates import chance_of_first, left_out
from engine.metrics.ranking import average_rank, blocks, history_pairs, target_counts

LIST = 10  # items that coverage and popularity bias are computed on
ALL = "all"  # candidates of a full ranking


@dataclass(frozen=True)
class Protocol:
    """The items among which a rank is taken."""

    hide_seen: bool  # items of the row's history are left out
    candidates: str  # "all", or how many


@dataclass(frozen=True)
class DrawnCandidates:
    """Candidates that were drawn once for all models, and what they were drawn outside of."""

    items: NDArray[np.int32]  # [R, C] the target first
    latest: NDArray[np.int32]  # [R, H] items of the history, none of which is a negative


@dataclass(frozen=True)
class Measured:
    """How one model ranked the rows of one split under one protocol."""

    model: str
    split: str
    protocol: Protocol
    ranks: NDArray[np.float64]  # [R] infinite where the target is hidden
    tied: NDArray[np.int64]  # [R] other items with the target's score
    lists: NDArray[np.int32] | None  # [R, K] best items, the padding where there are no more; None of candidates
    first: NDArray[np.float64] | None = None  # [R] of candidates: chance that the target is first, over all draws


@torch.no_grad()
def measure(
    model: str,
    split: str,
    score: Scorer,
    rows: Rows,
    items: int,
    candidates: DrawnCandidates | None,
    device: str,
    done: Callable[[int], None],
) -> list[Measured]:
    """Full ranking with and without seen items, and of ``candidates``.

    ``done`` receives the number of ranked rows. ValueError where a score is not a number.
    """
    seen = tuple(torch.from_numpy(part).to(device) for part in (rows.items, rows.start, rows.stop))
    targets = torch.from_numpy(rows.targets).long().to(device)
    protocols = [Protocol(False, ALL), Protocol(True, ALL)]
    if candidates is not None:
        protocols.append(Protocol(False, str(candidates.items.shape[1])))
        others = left_out(candidates.latest, rows.targets)
        pool, ahead = items - 1 - (others != ids.PADDING).sum(axis=1), np.zeros(len(rows))
    counts = np.zeros((len(protocols), 2, len(rows)))
    lists = np.zeros((2, len(rows), min(LIST, items)), dtype=np.int32)
    for block in blocks(len(rows), ids.rows(items), torch.device(device).type):
        scores, truth = score(block), targets[block]
        pairs = history_pairs((seen[0], seen[1], seen[2]), block)
        found = [target_counts(scores, truth), target_counts(scores, truth, pairs)]
        if candidates is not None:
            chosen = torch.from_numpy(candidates.items[block]).long().to(device)
            narrow = F.pad(scores.gather(1, chosen), (1, 0), value=-torch.inf)  # a padding column of its own
            found.append(target_counts(narrow, torch.ones_like(truth)))  # the target is column 1
            above, equal = found[0]
            never = torch.from_numpy(others[block]).long().to(device)
            high = (scores.gather(1, never) >= scores.gather(1, truth[:, None])) & (never != ids.PADDING)
            ahead[block] = (above + equal - high.sum(dim=1)).cpu()
        for index, (above, equal) in enumerate(found):
            counts[index, 0, block], counts[index, 1, block] = above.cpu(), equal.cpu()
        lists[0, block] = best(scores)
        scores[pairs] = -torch.inf
        lists[1, block] = best(scores)
        done(block.stop)
    ranks = average_rank(torch.from_numpy(counts[:, 0]), torch.from_numpy(counts[:, 1])).numpy()
    shown = [lists[0], lists[1], None]
    first = None if candidates is None else chance_of_first(ahead, pool, candidates.items.shape[1] - 1)
    return [
        Measured(model, split, p, ranks[k], counts[k, 1].astype(np.int64), shown[k], None if k < 2 else first)
        for k, p in enumerate(protocols)
    ]


def best(scores: Tensor, count: int = LIST) -> NDArray[np.int32]:
    """[B, n + 1] -> [B, K]: the best items, best first; the padding where only minus infinity is left."""
    values, items = scores.topk(min(count, scores.shape[1] - 1), dim=1)
    return items.masked_fill(values == -torch.inf, ids.PADDING).int().cpu().numpy()
