"""The next batch is made while one is used, in order, and its error is the caller's."""

import threading

import pytest

from engine.teacher.ahead import ahead


def test_each_is_made_in_order_and_the_next_one_while_one_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]

    def make(index: int) -> int:
        begun[index].set()
        return index * 10

    for index, made in enumerate(ahead(make, range(4))):
        assert made == index * 10
        assert index == 3 or begun[index + 1].wait(10)
    assert list(ahead(make, [])) == []


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda x: 1 // x, [1, 0, 2]))
