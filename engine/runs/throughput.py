"""How fast a phase of work goes on, measured from what was done when."""

WINDOW = 1.0  # seconds that a measurement takes at least
WEIGHT = 0.3  # of the newest measurement in the running mean


class Throughput:
    """Units a second, as a running mean over about three measurements of at least a second each."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._phase = ""
        self._since = (0.0, 0)  # seconds and units where the current measurement began

    def measure(self, now: float, done: int, phase: str) -> float | None:
        """The rate after ``done`` units at ``now`` seconds; None until a second of the phase has passed.

        A beat that comes while nothing is finished, as in an evaluation, tells nothing: the next unit counts the pause.
        """
        at, before = self._since
        if phase != self._phase or done < before:
            self.rate, self._phase, self._since = None, phase, (now, done)
        elif now - at >= WINDOW and done > before:
            newest = (done - before) / (now - at)
            self.rate = newest if self.rate is None else WEIGHT * newest + (1 - WEIGHT) * self.rate
            self._since = (now, done)
        return self.rate
