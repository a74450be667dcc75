"""One trial after another: whose history it is, what was asked about it, and the latest answer that counts.

Knows no screen. The server starts with the first question and is replaced when it died or another run is chosen.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cockpit.services.recommender import Recommender, Reply
from engine.runs.text import clean
from engine.wire import LOADING, HeldOutRow, ItemNames, Recommendations, read

Serve = Callable[[str, Path], Recommender]  # run, folder of runs
LENGTHS = (10, 20, 50)
ORDERS = {"row": "as in the data", "gained": "most gained by distillation first", "lost": "most lost first"}


class Trial:
    """``person`` is a held-out row, or None while the history is ``typed``; ``trouble`` is why there is no answer."""

    def __init__(self, root: Path, serve: Serve, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._root, self._serve, self._spawn = root, serve, spawn
        self.server: Recommender | None = None
        self.about: dict[str, Any] = {}
        self.answer: Recommendations | None = None
        self.trouble = ""
        self.person: int | None = None
        self.typed: list[ItemNames] = []
        self.length, self.seen, self.live = LENGTHS[0], False, True
        self.order, self._place = "row", 0  # of the held-out users, and where in it we are
        self.news = False  # an answer has come that was not looked at
        self._asked = 0

    def open(self, run: str) -> None:
        """Ask the models of this run, beginning with its first held-out user; nothing new where it is asked already."""
        if self.server is not None and self.server.run == run and not self.server.ended:
            return
        self.close()
        self.server = self._serve(run, self._root)
        self.about, self.answer, self.trouble = {}, None, ""
        self.person, self.typed, self.order, self._place = 0, [], "row", 0
        self._spawn(self._introduce(self.server))
        self.ask()

    def close(self) -> None:
        """End the server."""
        if self.server is not None:
            self.server.close()

    @property
    def history(self) -> list[ItemNames]:
        """What the models go on from, as far as it is known here."""
        if self.person is None:
            return self.typed
        return list(self.answer.history) if self.answer else []

    @property
    def loading(self) -> bool:
        """Whether better is to come."""
        if self.answer is None:
            return self.server is not None and not self.trouble and (self.person is not None or bool(self.typed))
        return any(told.state == LOADING for told in self.answer.columns)

    def take_person(self, row: int) -> None:
        """Go on with a held-out row."""
        self.person = row
        self.ask()

    def take_order(self, order: str) -> None:
        """Begin anew with the first held-out user of this order."""
        self.order, self._place = order, 0
        self.step(0)

    def step(self, by: int) -> None:
        """Go on with the held-out user so many places on in the order; the first one follows the last."""
        rows = self.about.get("rows") or 1
        if self.person is None:
            by = min(by, 0)  # the next one after a history of one's own is the one before it
        if self.order == "row":
            place = self.person if self.person is not None else self._place
            self._place = (place + by) % rows
            self.take_person(self._place)
        elif self.server is not None:
            self._place = (self._place + by) % rows
            self._spawn(self._find(self.server, self.order, self._place))

    async def _find(self, server: Recommender, order: str, place: int) -> None:
        """Who stands at this place of the order; an answer that a later step has overtaken is dropped."""
        reply = await server.ask("people", text="", start=place, count=1, order=order)
        if (server, order, place) != (self.server, self.order, self._place):
            return
        try:
            if reply.error:
                self.order, self.trouble, self.news = "row", reply.error, True
            else:
                self.take_person(read(HeldOutRow, reply.result["people"][0]).row)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self.trouble, self.news = f"the answer cannot be read: {error!r}", True

    def take_history(self, items: list[ItemNames]) -> None:
        """Go on with a history of one's own."""
        self.person, self.typed = None, items
        self.ask()

    def ask(self) -> None:
        """Put the question anew; answers to older ones no longer count."""
        self._asked += 1
        self.trouble = ""
        if self.server is not None and self.server.ended:
            self.server = self._serve(self.server.run, self._root)
        if self.server is not None and (self.person is not None or self.typed):
            self._spawn(self._recommend(self.server, self._asked))
        else:
            self.answer = None

    async def _introduce(self, server: Recommender) -> None:
        reply = await server.ask("about")
        if server is self.server and isinstance(reply.result, dict):
            self.about = reply.result

    async def _recommend(self, server: Recommender, asked: int) -> None:
        whom: dict[str, Any] = {"row": self.person}
        if self.person is None:
            whom = {"history": [item.item for item in self.typed]}
        more = {"count": self.length, "hide_seen": not self.seen, "live": self.live}
        self._take(asked, await server.ask("recommend", lambda reply: self._take(asked, reply), **whom, **more))

    def _take(self, asked: int, reply: Reply) -> None:
        if asked != self._asked:
            return
        self.news, self.trouble = True, reply.error
        if not reply.error and reply.result is not None:  # a superseded question has no result
            try:
                self.answer = read(Recommendations, reply.result, clean)
            except ValueError as error:
                self.trouble = f"the answer cannot be read: {error}"
