"""The JSON answer of an ``engine`` command that a screen shows, one process at a time.

Knows no screen. The answer to a request that is no longer the newest is discarded.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from cockpit.services import engine
from engine.runs.text import clean
from engine.wire import read

T = TypeVar("T")
Request = tuple[tuple[str, ...], object]  # words of the command, and what else the answer depends on


class EngineAnswer(Generic[T]):
    """``answer`` is the last one; ``trouble`` is why the last request has none."""

    def __init__(
        self, kind: type[T], root: Path, ask: engine.Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self.kind, self.root, self._ask, self._spawn = kind, root, ask, spawn
        self.answer: T | None = None
        self.trouble = ""
        self.busy = False
        self.version = 0  # grows with every change
        self._answered_for: tuple[str, ...] = ()
        self._wanted: Request = ((), None)
        self._answered: Request = ((), None)

    def want(self, words: Sequence[str], facts: object) -> None:
        """Run this command unless it was answered since ``facts`` last changed."""
        self._wanted = (tuple(words), facts)
        if self._wanted != self._answered and not self.busy:
            self.busy = True
            self.version += 1
            self._spawn(self._work())

    def again(self) -> None:
        """Ask again at the next ``want``."""
        self._answered = ((), None)

    def known_for(self, words: Sequence[str]) -> T | None:
        """The answer to this command, also while a new one is computed."""
        return self.answer if tuple(words) == self._answered_for else None

    async def _work(self) -> None:
        try:
            while self._wanted != self._answered:
                request = self._wanted
                answer = await self._ask(list(request[0]), self.root)
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
            self.answer = read(self.kind, answer.value, clean)
        except ValueError as error:
            self.trouble = f"the answer of engine {self._answered_for[0]} cannot be read: {error}"
