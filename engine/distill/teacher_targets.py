"""What the teacher said about the positions of a batch, and which positions are taught.

Letters: E events, P positions, R taught positions, K items of a teacher's ranking, T places, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.ids import PADDING
from engine.errors import DataError
from engine.knowledge.rankings import Rankings
from engine.student.batches import Batch

NOT_ASKED = -1
DRAWS = 16  # negatives drawn for a row, of which the first unknown one is kept


class TeacherTargets:
    """The teacher's first items of every answered event, or of every answered end of a history, on one device."""

    def __init__(self, rankings: Rankings, events: int, top: int, device: str) -> None:
        """``top`` items at most are kept of each ranking. DataError where rows and events do not belong together."""
        if len(rankings.rows) and int(rankings.rows.max()) >= events:
            raise DataError(
                f"the knowledge is about event {int(rankings.rows.max())}, but there are {events}",
                location="rankings",
                remedy="It was asked about other data: engine run knowledge --again.",
            )
        self.items = rankings.items[:, :top].to(device)  # [rows, K]
        self.distances = rankings.distances[:, :top].float().to(device)
        self.row = torch.full((events + 1,), NOT_ASKED, device=device)  # a batch may ask what follows the last event
        self.row[rankings.rows.to(device)] = torch.arange(len(rankings.rows), device=device)

    def rows(self, batch: Batch) -> Tensor:  # -> [P]
        """The ranking of each position, ``NOT_ASKED`` where there is none."""
        rows = self.row[batch.events.to(self.row.device)]
        return rows if batch.weights is None else torch.where(batch.weights > 0, rows, NOT_ASKED)

    def after(self, batch: Batch) -> Tensor:  # -> [P]
        """The ranking of what follows each end of a history, ``NOT_ASKED`` elsewhere and where there is none."""
        return torch.where(batch.last_position, self.row[batch.events.to(self.row.device)], NOT_ASKED)

    def ranked(self, rows: Tensor, top: int) -> tuple[Tensor, Tensor]:  # [R] -> [R, K] item ids, [R, K] distances
        """The first ``top`` items of some rankings and their distances: infinite where an item cannot be."""
        return self.items[rows, :top].long(), self.distances[rows, :top]

    def soft(self, rows: Tensor, top: int, temperature: float) -> tuple[Tensor, Tensor]:  # [R] -> [R, K], [R, K]
        """Item ids and q = softmax(-d / temperature) over the first ``top`` items."""
        items, distances = self.ranked(rows, top)
        return items, torch.softmax(-distances / temperature, dim=1)


def top_fraction(worth: Tensor, answered: Tensor, share: float) -> Tensor:  # [P], [P] bool -> [P] bool
    """The ``share`` of the answered positions whose worth is greatest, one at least; ties by their order."""
    count = (answered.sum() * share).ceil().long()
    order = worth.masked_fill(~answered, -torch.inf).argsort(descending=True, stable=True)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return answered & (place < count)


@torch.no_grad()
def divergence(scores: Tensor, teacher: Tensor) -> Tensor:  # [P, K] scores of the teacher's items, [P, K] -> [P]
    """KL(q || softmax of the student's scores), both over the teacher's first K items."""
    terms: Tensor = torch.special.entr(teacher) + teacher * torch.log_softmax(scores, dim=1)
    return -terms.sum(dim=1)


@torch.no_grad()
def true_error(scores: Tensor, own: Tensor) -> Tensor:  # [P, K] scores of the teacher's items, [P] the target's -> [P]
    """-log of the target's probability against the teacher's first K items: great where the student fails."""
    return torch.logsumexp(torch.cat([own[:, None], scores], dim=1), dim=1) - own


def known(batch: Batch, positions: Tensor) -> Tensor:  # [R] positions -> [R, T] item ids, the padding elsewhere
    """The items that stand in the batch up to each position, itself included."""
    packed = batch.packed
    grid = packed.grid(batch.items[:, None])[:, :, 0]
    cells = torch.arange(len(batch.items), device=grid.device) if packed.cells is None else packed.cells
    history = grid[cells[positions] // packed.longest]
    places = torch.arange(packed.longest, device=grid.device)
    return torch.where(places <= packed.order[positions, None], history, PADDING)


def among(ids: Tensor, history: Tensor) -> Tensor:  # [R, M], [R, T] -> [R, M] bool
    """Which ids stand in their row's history; the padding always does."""
    return (ids[:, :, None] == F.pad(history, (1, 0), value=PADDING)[:, None]).any(dim=2)


def negatives(history: Tensor, targets: Tensor, items: int, generator: torch.Generator) -> Tensor:  # [R, T], [R] -> [R]
    """One uniform item a row that is neither known nor the target; the padding where ``DRAWS`` draws find none."""
    drawn = torch.randint(PADDING + 1, items + 1, (len(targets), DRAWS), generator=generator, device=targets.device)
    good = ~among(drawn, torch.cat([history, targets[:, None]], dim=1))
    first = good.int().argmax(dim=1, keepdim=True)
    return torch.where(good.any(dim=1), drawn.gather(1, first)[:, 0], PADDING)
