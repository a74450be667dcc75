"""Rank of the target among all items, and metrics of that rank: pure functions of scores.

Letters: B rows at once, R rows, n items, D width, P pairs, E events. Scores have n + 1 columns; column 0 is the padding
and never counts. A rank is 1 for the best item. Counting the scores above the target's needs no sort.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.stages import VAL_NDCG, VAL_RECALL

Ints = NDArray[Any]
Pairs = tuple[Tensor, Tensor]  # row [P], item id [P]; pairs may repeat
Histories = tuple[Tensor, Tensor, Tensor]  # item ids [E], start [R], stop [R]: row r has seen items[start[r]:stop[r]]

SCORES_AT_ONCE = {"cpu": 1 << 21, "cuda": 1 << 27}  # a CPU is fastest while a block stays in its cache
ROWS_AT_LEAST = 16  # so that a huge item table is not read anew for every row
_EXACT = 1 << 24  # float32 counts whole numbers exactly up to here


@torch.no_grad()
def target_counts(scores: Tensor, targets: Tensor, seen: Pairs | None = None) -> tuple[Tensor, Tensor]:
    """How many other items score above the target, and how many the same: scores [B, n + 1], targets [B] -> [B], [B].

    Items of ``seen`` are left out for their row. A target among them can be in no list, however long: infinitely many
    items are above it, so that rank <= k exactly where the first k items hold the target. ValueError where a score is
    NaN.
    """
    if scores.ndim != 2 or scores.shape[1] < 2 or scores.shape[1] > _EXACT:
        raise ValueError(f"scores of {tuple(scores.shape)} are not [rows, items + 1] with 1 to {_EXACT - 1} items")
    if targets.shape != scores.shape[:1]:
        raise ValueError(f"{tuple(targets.shape)} targets do not fit scores of {tuple(scores.shape)}")
    rows = torch.arange(len(targets), device=scores.device)
    if len(rows) == 0:
        return rows.double(), rows
    if targets.min() < 1 or targets.max() >= scores.shape[1]:
        raise ValueError(
            f"targets must be item ids 1..{scores.shape[1] - 1}: {targets.min()}..{targets.max()} were given"
        )
    if scores[:, 1:].amax().isnan():
        raise ValueError(f"{int(scores[:, 1:].isnan().any(dim=1).sum())} rows have a score that is not a number")
    level = scores.gather(1, targets.long()[:, None])  # [B, 1]

    def count(compare: Callable[..., Tensor]) -> Tensor:
        # Truth as 0.0 and 1.0: summing these is ten times faster than summing booleans.
        found = compare(scores, level, out=scores.new_empty(scores.shape, dtype=torch.float32))
        found[:, 0] = 0
        if seen is not None:
            found[seen] = 0
        found[rows, targets] = 0
        return found.sum(dim=1).long()

    above, equal = count(torch.gt).double(), count(torch.eq)
    if seen is not None:
        hidden = seen[0][seen[1] == targets[seen[0]]]
        above[hidden], equal[hidden] = torch.inf, 0
    return above, equal


def target_ranks(scores: Tensor, targets: Tensor, seen: Pairs | None = None) -> Tensor:
    """Rank of the target, items of equal score sharing their average: [B, n + 1], [B] -> [B] float64.

    rank = 1 + #{i: s_i > s_target} + #{i != target: s_i = s_target} / 2, over items that are not hidden by ``seen``;
    infinite where the target itself is hidden.
    """
    above, equal = target_counts(scores, targets, seen)
    return average_rank(above, equal)


def average_rank(above: Tensor, equal: Tensor) -> Tensor:
    """1 + above + equal / 2 in float64: the mean of the ranks above + 1 .. above + 1 + equal. [B], [B] -> [B]."""
    return 1.0 + above.double() + equal.double() / 2


def score_items(users: Tensor, table: Tensor, bias: Tensor | None = None) -> Tensor:
    """s_ui = <u, v_i> + b_i, the padding minus infinity: users [B, D], table [n + 1, D], bias [n + 1] -> [B, n + 1]."""
    scores = users @ table.T if bias is None else torch.addmm(bias, users, table.T)
    scores[:, 0] = -torch.inf
    return scores


def on_device(items: Ints, start: Ints, stop: Ints, device: str) -> Histories:
    """Histories given as arrays, as tensors on a device."""
    first, last = (torch.from_numpy(part.astype(np.int64, copy=False)).to(device) for part in (start, stop))
    return torch.from_numpy(items).to(device), first, last


def history_pairs(histories: Histories, block: slice) -> Pairs:
    """(row within the block, item) for every item in the histories of the rows of ``block``."""
    items, start, stop = histories[0], histories[1][block], histories[2][block]
    lengths = stop - start
    first = lengths.cumsum(0) - lengths  # index of each row's first pair
    rows = torch.arange(len(start), device=items.device).repeat_interleave(lengths)
    indices = torch.arange(len(rows), device=items.device) + (start - first).repeat_interleave(lengths)
    return rows, items[indices].long()


def blocks(rows: int, columns: int, device: str) -> Iterator[slice]:
    """Stretches of rows whose scores fill ``SCORES_AT_ONCE`` entries, at least ``ROWS_AT_LEAST`` rows."""
    step = max(ROWS_AT_LEAST, SCORES_AT_ONCE[device] // columns)
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


@torch.no_grad()
def ranks_of(score: Callable[[slice], Tensor], columns: int, targets: Tensor, seen: Histories | None = None) -> Tensor:
    """Rank of each row's target: ``score`` gives [B, columns] of a block of rows; targets [R] -> [R] float64."""
    ranks = torch.empty(len(targets), dtype=torch.float64, device=targets.device)
    for block in blocks(len(targets), columns, targets.device.type):
        pairs = None if seen is None else history_pairs(seen, block)
        ranks[block] = target_ranks(score(block), targets[block], pairs)
    return ranks


def ranks_in_blocks(
    users: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None = None, seen: Histories | None = None
) -> Tensor:
    """``ranks_of`` the scores <u, v_i> + b_i. users [R, D], table [n + 1, D], targets [R], bias [n + 1] -> [R]."""
    return ranks_of(lambda block: score_items(users[block], table, bias), len(table), targets, seen)


@torch.no_grad()
def mixed_ranks(
    parts: Sequence[Callable[[slice], Tensor]],
    weights: Tensor,
    columns: int,
    targets: Tensor,
    bias: Tensor | None = None,
    seen: Histories | None = None,
) -> Tensor:
    """Rank of each row's target under every mixture of scores: s = sum_p weights[m, p] s_p + b.

    ``parts`` give scores [B, columns] of a block of rows; weights [M, P], targets [R] -> [M, R] float64. Each part is
    computed once, whatever the number of mixtures.
    """
    rows = len(targets)
    ranks = torch.empty(len(weights), rows, dtype=torch.float64, device=targets.device)
    for block in blocks(rows, (len(parts) + 1) * columns, targets.device.type):
        pairs = None if seen is None else history_pairs(seen, block)
        made = torch.stack([part(block) for part in parts])  # [P, B, n + 1]
        made[:, :, 0] = 0  # 0 * -inf is not a number
        for mixture, weight in enumerate(weights):
            scores = (weight @ made.flatten(start_dim=1)).view(made.shape[1:])
            scores = scores if bias is None else scores + bias
            scores[:, 0] = -torch.inf
            ranks[mixture, block] = target_ranks(scores, targets[block], pairs)
    return ranks


def products(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[Callable[[slice], Tensor]]:
    """<u_i, v_j> of users [R, D] and a table [n + 1, D], for ``mixed_ranks``."""

    def product(users: Tensor, table: Tensor) -> Callable[[slice], Tensor]:
        return lambda block: users[block] @ table.T

    return [product(users, table) for users, table in pairs]


def hit_rate(ranks: Tensor, k: int) -> Tensor:
    """[rank <= k] per row: [B] -> [B] float64. With one target a row this is recall@k too."""
    return (ranks <= k).double()


recall = hit_rate


def ndcg(ranks: Tensor, k: int) -> Tensor:
    """[rank <= k] / log2(rank + 1) per row: [B] -> [B] float64. The ideal is 1 with one target a row."""
    return torch.where(ranks <= k, 1.0 / torch.log2(ranks.double() + 1.0), 0.0)


def mrr(ranks: Tensor, k: int | None = None) -> Tensor:
    """1 / rank per row, 0 below the first ``k`` where ``k`` is given: [B] -> [B] float64."""
    reciprocal = 1.0 / ranks.double()
    return reciprocal if k is None else torch.where(ranks <= k, reciprocal, 0.0)


def validation_metrics(ranks: Tensor) -> dict[str, float]:
    """val_recall@10 and val_ndcg@10: means over the rows."""
    return {VAL_RECALL.name: float(hit_rate(ranks, 10).mean()), VAL_NDCG.name: float(ndcg(ranks, 10).mean())}
