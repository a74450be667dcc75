"""The processes that share a run's work, one per device: what they tell each other.

Every exchange is collective: all processes must make the same ones in the same order.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


def current() -> "Processes":
    """This process among those that have been started."""
    return Processes(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Processes()


class Processes:
    """One process among those of its run; alone it exchanges nothing."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, without a gradient."""
        if self.count == 1:
            return values
        summed = values.detach().clone()
        dist.all_reduce(summed)
        return summed

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return any(self.gathered(flag))

    def first(self, value: Any) -> Any:
        """The value of the process that reports."""
        return self.gathered(value)[0]

    def owns(self, number: int) -> bool:
        """Whether a numbered piece of work is this process's."""
        return number % self.count == self.rank

    def dealt(self, work: Sequence[T]) -> list[tuple[T, bool]]:
        """This process's pieces of work, one after the other as many as any other's, and whether each is its own.

        What fills up is another's piece: models whose weights are shared need all processes in every pass. A single
        piece is computed by each, so that its result needs no exchange.
        """
        if self.count == 1 or len(work) == 1:
            return [(one, True) for one in work]
        rounds = -(-len(work) // self.count)
        chosen = [number * self.count + self.rank for number in range(rounds)]
        return [(work[min(index, len(work) - 1)], index < len(work)) for index in chosen]

    def gathered(self, value: Any) -> list[Any]:
        """The value of each process."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found
