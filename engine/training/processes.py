"""The processes that share a run's work, one per device: what they tell each other.

Every exchange is collective: all processes must make the same ones in the same order.
"""

from typing import Any

from torch import Tensor
from torch import distributed as dist


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

    def gathered(self, value: Any) -> list[Any]:
        """The value of each process."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found
