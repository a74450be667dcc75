"""What a person may mean who is typing a title or a user's id: asked of the server after each letter."""

from cockpit.services.recommender import Recommender
from engine.runs.text import clean
from engine.wire import HeldOutRow, ItemNames, read

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


class Completion:
    """Titles or users. ``found`` belongs to the text ``found_for``; None while a newer text is being looked up."""

    def __init__(self, users: bool, order: str = "") -> None:
        """``order`` of users: as the server sorts them."""
        self.users, self._order = users, order
        self.found: list[ItemNames] | list[HeldOutRow] = []
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
                self.found = [read(HeldOutRow, one, clean) for one in reply.result["people"]]
            else:
                self.found = [read(ItemNames, one, clean) for one in reply.result["items"]]
        except (KeyError, TypeError, ValueError) as error:
            self.trouble = f"the answer cannot be read: {error!r}"

    def choose(self, key: str) -> None:
        """Move among what was found."""
        self.cursor = min(max(self.cursor + STEPS.get(key, 0), 0), max(len(self.found) - 1, 0))

    def chosen(self, text: str) -> ItemNames | HeldOutRow | None:
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
        models = " · ".join(first.ranks) if isinstance(first, HeldOutRow) else ""
        return ("users" if self.users else "titles") + (f"  {models}" if models else "")

    @property
    def lines(self) -> list[str]:
        """What was found, as people read it."""
        return [one.title if isinstance(one, ItemNames) else _text(one) for one in self.found]

    @property
    def state(self) -> str:
        """Why there is nothing to choose from."""
        if self.trouble or self.found_for is None:
            return self.trouble or "searching"
        return "nothing is alike"


def _text(row: HeldOutRow) -> str:
    """A row as it is listed: the user and the ranks, or the length of the history."""
    ranks = " · ".join(f"{rank:,.10g}" for rank in row.ranks.values())
    return f"{row.user}   {ranks or f'{row.events} events'}"
