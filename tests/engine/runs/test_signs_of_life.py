"""The heartbeat of a call that reports nothing."""

import threading

import pytest

from engine.runs.signs_of_life import signs_of_life


def test_it_beats_until_the_block_ends_also_with_an_error():
    beats, third = [], threading.Event()

    def beat():
        beats.append(1)
        if len(beats) == 3:
            third.set()

    with pytest.raises(RuntimeError), signs_of_life(beat, every=0.001):
        assert third.wait(20)
        raise RuntimeError("the load failed")
    after = len(beats)
    assert not any(thread.name == "signs of life" for thread in threading.enumerate())
    assert len(beats) == after


def test_a_call_that_never_returns_falls_silent():
    beats, done = [], threading.Event()
    with signs_of_life(lambda: beats.append(1), every=0.001, longest=0.004):
        while any(thread.name == "signs of life" for thread in threading.enumerate()):
            done.wait(0.001)
    assert len(beats) == 4
