"""The throughput of a phase of work, measured from its progress."""

WINDOW = 1.0  # least seconds of a measurement
WEIGHT = 0.3  # of the newest measurement in the running mean


class Throughput:
    """Units a second, as a running mean over about three measurements of at least a second each."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._phase = ""
        self._since = (0.0, 0)  # seconds and units where the current measurement began

    def measure(self, now: float, done: int, phase: str) -> float | None:
        """The rate after ``done`` units at ``now`` seconds; None until a second of the phase has passed.

        A call without progress, as during an evaluation, is no measurement: the next unit includes the pause.
        """
        at, before = self._since
        if phase != self._phase or done < before:
            self.rate, self._phase, self._since = None, phase, (now, done)
        elif now - at >= WINDOW and done > before:
            newest = (done - before) / (now - at)
            self.rate = newest if self.rate is None else WEIGHT * newest + (1 - WEIGHT) * self.rate
            self._since = (now, done)
        return self.rate
