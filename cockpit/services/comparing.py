"""The comparison of the groups on the screen: ``engine compare`` runs when they change, one process at a time.

Knows no screen. The answer to a request that is no longer the newest is discarded.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from cockpit.services import engine
from engine.runs.text import clean
from engine.wire import Comparison, read

Request = tuple[tuple[str, ...], object]  # arguments of the command, and what else the answer depends on


class Comparing:
    """``answer`` is the last comparison; ``trouble`` is why the last request has none."""

    def __init__(self, root: Path, ask: engine.Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.root, self._ask, self._spawn = root, ask, spawn
        self.answer: Comparison | None = None
        self.trouble = ""
        self.busy = False
        self.version = 0  # grows with every change
        self._answered_for: tuple[str, ...] = ()
        self._wanted: Request = ((), None)
        self._answered: Request = ((), None)

    def want(self, arguments: Sequence[str], facts: object) -> None:
        """Compare these groups unless they were compared since ``facts`` last changed."""
        self._wanted = (tuple(arguments), facts)
        if self._wanted != self._answered and not self.busy:
            self.busy = True
            self.version += 1
            self._spawn(self._work())

    def again(self) -> None:
        """Compare again at the next ``want``."""
        self._answered = ((), None)

    def known_for(self, arguments: Sequence[str]) -> Comparison | None:
        """The comparison of these groups, also while a new one runs."""
        return self.answer if tuple(arguments) == self._answered_for else None

    async def _work(self) -> None:
        try:
            while self._wanted != self._answered:
                request = self._wanted
                answer = await self._ask(["compare", *request[0]], self.root)
                if request == self._wanted:
                    self._answered, self._answered_for = request, request[0]
                    self._take(answer)
        finally:
            self.busy = False
            self.version += 1

    def _take(self, answer: engine.CommandResult) -> None:
        self.answer, self.trouble = None, ""
        if answer.status:
            self.trouble = answer.message
            return
        try:
            self.answer = read(Comparison, answer.value, clean)
        except ValueError as error:
            self.trouble = f"the answer of engine compare cannot be read: {error}"
