"""The teacher's targets at the positions of a batch, and which positions are distilled.

Letters: E events, P positions, R distilled positions, K items of a teacher's ranking, T columns of a batch, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.ids import PADDING
from engine.errors import DataError
from engine.knowledge.rankings import Rankings
from engine.student.batches import Batch

NO_TARGET = -1
DRAWS = 16  # negatives drawn for a row, of which the first unseen one is kept


class TeacherTargets:
    """The teacher's first items of the events that it ranked, or of the histories' last positions, on one device."""

    def __init__(self, rankings: Rankings, events: int, top: int, device: str) -> None:
        """At most ``top`` items of each ranking are kept. DataError where a row is no event of these data."""
        if len(rankings.rows) and int(rankings.rows.max()) >= events:
            raise DataError(
                f"the knowledge is about event {int(rankings.rows.max())}, but there are {events}",
                location="rankings",
                remedy="It was made from other data: engine run knowledge --again.",
            )
        self.items = rankings.items[:, :top].to(device)  # [rows, K]
        self.distances = rankings.distances[:, :top].float().to(device)
        self.row = torch.full((events + 1,), NO_TARGET, device=device)  # a row may follow the last event
        self.row[rankings.rows.to(device)] = torch.arange(len(rankings.rows), device=device)

    def rows(self, batch: Batch) -> Tensor:  # -> [P]
        """The ranking of each position, ``NO_TARGET`` where there is none."""
        rows = self.row[batch.events.to(self.row.device)]
        return rows if batch.weights is None else torch.where(batch.weights > 0, rows, NO_TARGET)

    def after(self, batch: Batch) -> Tensor:  # -> [P]
        """The ranking after each history's last event, ``NO_TARGET`` elsewhere and where there is none."""
        return torch.where(batch.last_position, self.row[batch.events.to(self.row.device)], NO_TARGET)

    def ranked(self, rows: Tensor, top: int) -> tuple[Tensor, Tensor]:  # [R] -> [R, K] item ids, [R, K] distances
        """The first ``top`` items of some rankings and their distances, infinite for an item that is hidden."""
        return self.items[rows, :top].long(), self.distances[rows, :top]

    def soft(self, rows: Tensor, top: int, temperature: float) -> tuple[Tensor, Tensor]:  # [R] -> [R, K], [R, K]
        """Item ids and q = softmax(-d / temperature) over the first ``top`` items."""
        items, distances = self.ranked(rows, top)
        return items, torch.softmax(-distances / temperature, dim=1)


def top_fraction(value: Tensor, answered: Tensor, share: float) -> Tensor:  # [P], [P] bool -> [P] bool
    """The ``share`` of the answered positions of largest value, at least one; ties by their order."""
    count = (answered.sum() * share).ceil().long()
    order = value.masked_fill(~answered, -torch.inf).argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return answered & (rank < count)


@torch.no_grad()
def divergence(scores: Tensor, teacher: Tensor) -> Tensor:  # [P, K] scores of the teacher's items, [P, K] -> [P]
    """KL(q || softmax of the student's scores), both over the teacher's first K items."""
    terms: Tensor = torch.special.entr(teacher) + teacher * torch.log_softmax(scores, dim=1)
    return -terms.sum(dim=1)


@torch.no_grad()
def true_error(scores: Tensor, own: Tensor) -> Tensor:  # [P, K] scores of the teacher's items, [P] the target's -> [P]
    """-log of the target's probability against the teacher's first K items: large where the student fails."""
    return torch.logsumexp(torch.cat([own[:, None], scores], dim=1), dim=1) - own


def known(batch: Batch, positions: Tensor) -> Tensor:  # [R] positions -> [R, T] item ids, the padding elsewhere
    """The items of the batch up to each position, itself included."""
    packed = batch.packed
    grid = packed.grid(batch.items[:, None])[:, :, 0]
    cells = torch.arange(len(batch.items), device=grid.device) if packed.cells is None else packed.cells
    history = grid[cells[positions] // packed.longest]
    column = torch.arange(packed.longest, device=grid.device)
    return torch.where(column <= packed.order[positions, None], history, PADDING)


def among(ids: Tensor, history: Tensor) -> Tensor:  # [R, M], [R, T] -> [R, M] bool
    """Which ids occur in their row's history; the padding always does."""
    return (ids[:, :, None] == F.pad(history, (1, 0), value=PADDING)[:, None]).any(dim=2)


def negatives(
    history: Tensor,  # [R, T]
    targets: Tensor,  # [R]
    items: int,
    generator: torch.Generator,
    order: tuple[Tensor, int] | None = None,
) -> Tensor:  # -> [R]
    """One uniform item a row that is neither seen nor the target; the padding where ``DRAWS`` draws find none.

    ``order``: the rows are those of indices [R] among so many that are drawn for.
    """
    count = len(targets) if order is None else order[1]
    drawn = torch.randint(PADDING + 1, items + 1, (count, DRAWS), generator=generator, device=targets.device)
    drawn = drawn if order is None else drawn[order[0]]
    good = ~among(drawn, torch.cat([history, targets[:, None]], dim=1))
    first = good.int().argmax(dim=1, keepdim=True)
    return torch.where(good.any(dim=1), drawn.gather(1, first)[:, 0], PADDING)
