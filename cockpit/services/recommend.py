"""The state of the recommend screen: the history, the request about it, and the newest answer.

Knows no screen. The server starts with the first request and is replaced when it ended or another run is chosen.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cockpit.services.recommender import RecommenderProcess, Reply, Serve
from engine.runs.text import clean
from engine.wire import LOADING, HeldOutRow, ItemNames, Recommendations, read

LENGTHS = (10, 20, 50)
ORDERS = {"row": "as in the data", "gained": "most gained by distillation first", "lost": "most lost first"}


class RecommendSession:
    """``row`` is a held-out row, None while the history is ``typed``; ``trouble`` is why there is no answer."""

    def __init__(self, root: Path, serve: Serve, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._root, self._serve, self._spawn = root, serve, spawn
        self.server: RecommenderProcess | None = None
        self.about: dict[str, Any] = {}
        self.answer: Recommendations | None = None
        self.trouble = ""
        self.row: int | None = None
        self.typed: list[ItemNames] = []
        self.length, self.live = LENGTHS[0], True
        self.seen: bool | None = None  # whether items of the history are listed; None: as the data suit
        self.order, self._position = "row", 0  # of the held-out users, and the position in it
        self.changed = False  # since the screen was drawn last
        self._asked = 0

    def open(self, run: str) -> None:
        """Use the models of this run, from its first held-out user on; nothing changes where they are in use."""
        if self.server is not None and self.server.run == run and not self.server.ended:
            return
        self.close()
        self.server = self._serve(run, self._root)
        self.about, self.answer, self.trouble = {}, None, ""
        self.row, self.typed, self.order, self._position = 0, [], "row", 0
        self._spawn(self._introduce(self.server))
        self.ask()

    def close(self) -> None:
        """End the server."""
        if self.server is not None:
            self.server.close()

    @property
    def history(self) -> list[ItemNames]:
        """The history that the lists are for, as far as it is known."""
        if self.row is None:
            return self.typed
        return list(self.answer.history) if self.answer else []

    @property
    def shows_seen(self) -> bool:
        """Whether the lists may hold items of the history."""
        return not self.about.get("hide_seen", True) if self.seen is None else self.seen

    @property
    def loading(self) -> bool:
        """Whether a more complete answer follows."""
        if self.answer is None:
            return self.server is not None and not self.trouble and (self.row is not None or bool(self.typed))
        return any(column.state == LOADING for column in self.answer.columns)

    def choose_row(self, row: int) -> None:
        """Show the lists for a held-out row."""
        self.row = row
        self.ask()

    def choose_order(self, order: str) -> None:
        """Start at the first held-out user of this order."""
        self.order, self._position = order, 0
        self.step(0)

    def step(self, by: int) -> None:
        """Move by so many held-out users in the order, which is cyclic."""
        rows = self.about.get("rows") or 1
        if self.row is None:
            by = min(by, 0)  # the first step after a typed history returns to the row before it
        if self.order == "row":
            position = self.row if self.row is not None else self._position
            self._position = (position + by) % rows
            self.choose_row(self._position)
        elif self.server is not None:
            self._position = (self._position + by) % rows
            self._spawn(self._find(self.server, self.order, self._position))

    async def _find(self, server: RecommenderProcess, order: str, position: int) -> None:
        """Look up the row at this position; the answer is dropped when another step came meanwhile."""
        reply = await server.ask("people", text="", start=position, count=1, order=order)
        if (server, order, position) != (self.server, self.order, self._position):
            return
        try:
            if reply.error:
                self.order, self.trouble, self.changed = "row", reply.error, True
            else:
                self.choose_row(read(HeldOutRow, reply.result["people"][0]).row)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self.trouble, self.changed = f"the answer cannot be read: {error!r}", True

    def choose_history(self, items: list[ItemNames]) -> None:
        """Show the lists for a typed history."""
        self.row, self.typed = None, items
        self.ask()

    def ask(self) -> None:
        """Send the request; answers to older requests are dropped."""
        self._asked += 1
        self.trouble = ""
        if self.server is not None and self.server.ended:
            self.server = self._serve(self.server.run, self._root)
        if self.server is not None and (self.row is not None or self.typed):
            self._spawn(self._recommend(self.server, self._asked))
        else:
            self.answer = None

    async def _introduce(self, server: RecommenderProcess) -> None:
        reply = await server.ask("about")
        if server is self.server and isinstance(reply.result, dict):
            self.about = reply.result

    async def _recommend(self, server: RecommenderProcess, asked: int) -> None:
        subject: dict[str, Any] = {"row": self.row}
        if self.row is None:
            subject = {"history": [item.item for item in self.typed]}
        more = {"count": self.length, "hide_seen": None if self.seen is None else not self.seen, "live": self.live}
        self._receive(
            asked, await server.ask("recommend", lambda reply: self._receive(asked, reply), **subject, **more)
        )

    def _receive(self, asked: int, reply: Reply) -> None:
        if asked != self._asked:
            return
        self.changed, self.trouble = True, reply.error
        if not reply.error and reply.result is not None:  # a superseded request has no result
            try:
                self.answer = read(Recommendations, reply.result, clean)
            except ValueError as error:
                self.trouble = f"the answer cannot be read: {error}"
