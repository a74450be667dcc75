"""Overlaps what the host prepares with what the device computes."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def ahead(make: Callable[[A], B], given: Iterable[A]) -> Iterator[B]:
    """``make`` of each in order; the next one is made in a thread while the caller works on the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for one in given:
            following = pool.submit(make, one)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
