"""What ``engine compare`` says about some groups: asked anew when they or their runs change, one question at a time.

Knows no screen. An answer to a question that is no longer the last one is thrown away.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from cockpit.services import engine
from engine.runs.text import clean
from engine.wire import Comparison, read

Ask = Callable[..., Coroutine[Any, Any, engine.CommandResult]]
Question = tuple[tuple[str, ...], object]  # the words, and what the answer depends on beside them


class Comparing:
    """``answer`` is about the words ``about``; ``trouble`` is what ``engine`` objected to the last question."""

    def __init__(self, root: Path, ask: Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.root, self._ask, self._spawn = root, ask, spawn
        self.answer: Comparison | None = None
        self.trouble = ""
        self.asking = False
        self.version = 0  # grows with every change
        self._about: tuple[str, ...] = ()
        self._wanted: Question = ((), None)
        self._told: Question = ((), None)

    def want(self, words: Sequence[str], facts: object) -> None:
        """Have the groups compared unless that was done since ``facts`` changed last."""
        self._wanted = (tuple(words), facts)
        if self._wanted != self._told and not self.asking:
            self.asking = True
            self.version += 1
            self._spawn(self._work())

    def again(self) -> None:
        """Ask once more at the next ``want``, whatever is known."""
        self._told = ((), None)

    def about(self, words: Sequence[str]) -> Comparison | None:
        """What is known about these groups, even while it is asked anew."""
        return self.answer if tuple(words) == self._about else None

    async def _work(self) -> None:
        try:
            while self._wanted != self._told:
                question = self._wanted
                answer = await self._ask(["compare", *question[0]], self.root)
                if question == self._wanted:
                    self._told, self._about = question, question[0]
                    self._take(answer)
        finally:
            self.asking = False
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
