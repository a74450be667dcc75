"""What a person may mean who is typing a title or a user's id: asked of the server after each letter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cockpit.models.recommendation import Named, named
from cockpit.services.recommender import Recommender
from engine.runs.text import clean

MOST = 30  # that are asked for
STEPS = {
    "down": 1,
    "tab": 1,
    "ctrl+n": 1,
    "pagedown": 10,
    "up": -1,
    "shift+tab": -1,
    "ctrl+p": -1,
    "pageup": -10,
}


@dataclass(frozen=True)
class Person:
    """A held-out row."""

    row: int
    user: str
    events: int
    ranks: tuple[tuple[str, float], ...] = ()  # what an evaluation gave its next item, by model

    @property
    def text(self) -> str:
        """As people read it in a list."""
        ranks = " · ".join(f"{rank:,.10g}" for _, rank in self.ranks)
        return f"{self.user}   {ranks or f'{self.events} events'}"


def person(record: Mapping[str, Any]) -> Person:
    """KeyError, TypeError or ValueError where the record is none of a person."""
    ranks = tuple((clean(model, 40), float(rank)) for model, rank in record["ranks"].items())
    return Person(int(record["row"]), clean(record["user"], 80), int(record["events"]), ranks)


class Completion:
    """Titles or users. ``found`` belongs to the text ``found_for``; None while a newer text is being looked up."""

    def __init__(self, users: bool, order: str = "") -> None:
        """``order`` of users: as the server sorts them."""
        self.users, self._order = users, order
        self.found: list[Named] | list[Person] = []
        self.found_for: str | None = "" if not users else None
        self.trouble = ""
        self.cursor = 0
        self._text = ""

    async def find(self, server: Recommender, text: str) -> None:
        """Look a text up; an answer that a newer text has overtaken is dropped."""
        self._text, self.found_for, self.cursor = text, None, 0
        if self.users:
            reply = await server.ask("people", text=text, count=MOST, order=self._order)
        else:
            reply = await server.ask("search", text=text, count=MOST)
        if text != self._text:
            return
        self.found_for, self.trouble = text, reply.error
        if reply.error:
            return
        try:
            if self.users:
                self.found = [person(one) for one in reply.result["people"]]
            else:
                self.found = [named(one) for one in reply.result["items"]]
        except (KeyError, TypeError, ValueError) as error:
            self.trouble = f"the answer cannot be read: {error!r}"

    def choose(self, key: str) -> None:
        """Move among what was found."""
        self.cursor = min(max(self.cursor + STEPS.get(key, 0), 0), max(len(self.found) - 1, 0))

    def chosen(self, text: str) -> Named | Person | None:
        """What stands under the cursor, once the search has caught up with the text."""
        return self.found[self.cursor] if self.found_for == text and self.found else None

    @property
    def begun(self) -> bool:
        """Whether there is anything to look up: before the first letter of a title there is not."""
        return self.users or self.found_for != ""

    @property
    def title(self) -> str:
        """What the lines are."""
        first = self.found[0] if self.found else None
        models = " · ".join(model for model, _ in first.ranks) if isinstance(first, Person) else ""
        return ("users" if self.users else "titles") + (f"  {models}" if models else "")

    @property
    def lines(self) -> list[str]:
        """What was found, as people read it."""
        return [one.title if isinstance(one, Named) else one.text for one in self.found]

    @property
    def state(self) -> str:
        """Why there is nothing to choose from."""
        if self.trouble or self.found_for is None:
            return self.trouble or "searching"
        return "nothing is alike"
