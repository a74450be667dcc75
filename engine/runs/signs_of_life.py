"""A heartbeat while one long call imports a library or loads a model, and so reports nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 5.0  # seconds between two beats
LONGEST = 900.0  # seconds after which a call that has not returned counts as silent


@contextmanager
def signs_of_life(beat: Callable[[], None], every: float | None = None, longest: float = LONGEST) -> Iterator[None]:
    """Calls ``beat`` in a thread every ``every`` (EVERY) seconds until the block ends, or for ``longest`` seconds."""
    pause = EVERY if every is None else every
    over = threading.Event()

    def work() -> None:
        for _ in range(round(longest / pause)):
            if over.wait(pause):
                return
            beat()

    thread = threading.Thread(target=work, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
