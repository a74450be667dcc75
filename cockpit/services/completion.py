"""Completion of titles and user ids: requested from the server after each letter."""

from cockpit.models.scroll import STEPS
from cockpit.services.recommender import RecommenderProcess
from engine.runs.text import clean
from engine.wire import HeldOutRow, ItemNames, read

MOST = 30  # results that are requested


class Completion:
    """Titles or users. ``found`` are the results for the text ``found_for``, which is None while a request runs."""

    def __init__(self, users: bool, order: str = "") -> None:
        """``order`` of users: as the server sorts them."""
        self.users, self._order = users, order
        self.found: list[ItemNames] | list[HeldOutRow] = []
        self.found_for: str | None = "" if not users else None
        self.trouble = ""
        self.cursor = 0
        self._text = ""

    async def find(self, server: RecommenderProcess, text: str) -> None:
        """Request completions; the answer is dropped when a newer text was requested meanwhile."""
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
        """Move the cursor among the results."""
        self.cursor = min(max(self.cursor + STEPS.get(key, 0), 0), max(len(self.found) - 1, 0))

    def chosen(self, text: str) -> ItemNames | HeldOutRow | None:
        """The result under the cursor, once there are results for the text."""
        return self.found[self.cursor] if self.found_for == text and self.found else None

    @property
    def begun(self) -> bool:
        """Whether there is anything to search: before the first letter of a title there is not."""
        return self.users or self.found_for != ""

    @property
    def title(self) -> str:
        """Heading of the results."""
        first = self.found[0] if self.found else None
        models = " · ".join(first.ranks) if isinstance(first, HeldOutRow) else ""
        return ("users" if self.users else "titles") + (f"  {models}" if models else "")

    @property
    def lines(self) -> list[str]:
        """The results as lines."""
        return [one.title if isinstance(one, ItemNames) else _text(one) for one in self.found]

    @property
    def state(self) -> str:
        """Why there are no results."""
        if self.trouble or self.found_for is None:
            return self.trouble or "searching"
        return "no match"


def _text(row: HeldOutRow) -> str:
    """A row as it is listed: the user and the ranks, or the length of the history."""
    ranks = " · ".join(f"{rank:,.10g}" for rank in row.ranks.values())
    return f"{row.user}   {ranks or f'{row.events} events'}"
