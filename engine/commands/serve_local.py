"""``engine serve-local``: a resident process that holds the models of a run and answers over stdin and stdout.

One JSON object per line in, one or more per line out; README.md beside this file describes the protocol. Titles are
searched and stored teacher rankings returned before torch is loaded.
"""

import argparse
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from engine.commands.run_ids import run_of
from engine.errors import UserError
from engine.jobs.store import Store
from engine.recommend.histories import of_names
from engine.recommend.panel import MAKERS, Panel, RecommendRequest
from engine.recommend.per_user_gain import ORDERS
from engine.wire import HeldOutRow, Recommendations, plain

Record = dict[str, Any]
MOST = 200  # entries of one answer


def serve(options: argparse.Namespace) -> int:
    """Answer until the input ends. The process then exits at once, even while a model is being loaded."""
    entry = run_of(Store(options.runs), options.ids, "engine serve-local ID")
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries must not mix with answers
    threading.excepthook = _exit_on_error
    server = Server(Panel(entry.folder), lambda record: _write(out, record))
    threading.Thread(target=server.load_models, daemon=True).start()
    for line in sys.stdin.buffer:
        server.handle(line)
    sys.stderr.flush()
    os._exit(0)  # without waiting for a thread that imports


def _write(out: BinaryIO, record: Record) -> None:
    try:
        out.write(json.dumps(record).encode() + b"\n")
        out.flush()
    except BrokenPipeError:  # the reader has closed the pipe
        os._exit(0)


def _exit_on_error(error: threading.ExceptHookArgs) -> None:
    """A server whose loading thread has failed must not keep clients waiting."""
    traceback.print_exception(error.exc_type, error.exc_value, error.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


class Server:
    """Handles requests in one thread and loads models in another; ``send`` writes one line of an answer."""

    def __init__(self, panel: Panel, send: Callable[[Record], None]) -> None:
        self.panel = panel
        self._send = send
        self._changed = threading.Condition()
        self._pending: tuple[Any, RecommendRequest] | None = None  # id and request that wait for models

    # -- requests --------------------------------------------------------------------------------------------------

    def handle(self, line: bytes) -> None:
        """Answer a request; where models are missing, with what is known so far."""
        given: Any = None
        methods = {"about": self._about, "search": self._search, "people": self._heldout_users}
        try:
            request = _object(line)
            given = request.get("id")
            method = request.get("method")
            if method == "recommend":
                self._recommend(given, request)
            elif method in methods:
                self._answer(given, result=methods[method](request))
            else:
                raise UserError(f"there is no method {method!r}", remedy="Methods: about, search, people, recommend.")
        except UserError as error:
            parts = {"cause": error.cause, "place": error.location, "remedy": error.remedy}
            self._answer(given, error=parts)

    def _answer(self, given: Any, **content: Any) -> None:
        """The only line of an answer."""
        with self._changed:
            self._send({"id": given, **content, "more": False})

    def _about(self, request: Record) -> Record:
        panel = self.panel
        return {
            "run": panel.run,
            "data": panel.data,
            "split": panel.users.split,
            "items": len(panel.catalogue.titles) - 1,
            "rows": len(panel.users),
            "hide_seen": panel.hide_seen,
            "models": {name: panel.run_of(name) for name in MAKERS},
        }

    def _search(self, request: Record) -> Record:
        since = time.perf_counter()
        found = self.panel.catalogue.complete(_text(request, "text"), _count(request, "count", 10))
        items = [plain(self.panel.named(item)) for item in found]
        return {"items": items, "ms": round(1000 * (time.perf_counter() - since), 2)}

    def _heldout_users(self, request: Record) -> Record:
        panel, order = self.panel, _text(request, "order") or "row"
        if order not in ("row", *ORDERS):
            raise UserError(
                f"there is no order {order!r}", location="order", remedy=f"Orders: row, {', '.join(ORDERS)}."
            )
        rows = panel.rows_by(order, _text(request, "text"))
        start = _count(request, "start", 0, most=len(rows))
        some = rows[start : start + _count(request, "count", 20)]
        ranks = panel.ranks if order in ORDERS else {}
        found = [
            HeldOutRow(
                row,
                panel.users.name(row),
                events=len(panel.users.history(row)),
                ranks={model: float(ranks[model][row]) for model in MAKERS if model in ranks},
            )
            for row in some
        ]
        return {"people": [plain(one) for one in found], "total": len(rows)}

    def _recommend(self, given: Any, request: Record) -> None:
        question = self._question(request)
        unloaded, live = self.panel.needs(question), self.panel.asks_teacher_live(question)
        answer = self.panel.answer(question, later=live)
        with self._changed:
            if self._pending is not None:
                self._send({"id": self._pending[0], "superseded": True, "more": False})
            self._pending = (given, question) if unloaded or live else None
            self._send({"id": given, "result": plain(answer), "more": self._pending is not None})
            self._changed.notify()

    def _question(self, request: Record) -> RecommendRequest:
        users, row = self.panel.users, request.get("row")
        if "user" in request:
            row = users.find(_text(request, "user"))
        if row is None:
            history = of_names(self.panel.catalogue, request.get("history"))
        elif isinstance(row, int) and 0 <= row < len(users):
            history = users.history(row)
        else:
            raise UserError(f"there is no row {row!r}", location="row", remedy=f"Rows are 0 to {len(users) - 1}.")
        count = _count(request, "count", 10)
        return RecommendRequest(history, row, count, _truth(request, "hide_seen"), request.get("live", True) is True)

    # -- the thread that loads -------------------------------------------------------------------------------------

    def load_models(self) -> None:
        """Load the students, then the models that pending requests need; never returns."""
        for name in self.panel.students:
            self.panel.load(name)
        with self._changed:
            waiting = self._pending is not None
        if not waiting:  # idle: build the index of misspelt titles
            self.panel.catalogue.prepare()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending is not None)
                pending = self._pending
            assert pending is not None
            given, question = pending
            if self.panel.needs(question):
                self._continue(given, question, self.panel.answer(question, later=True), more=True)
                for name in self.panel.needs(question):
                    self.panel.load(name)
            self._continue(given, question, self.panel.answer(question), more=False)

    def _continue(self, given: Any, question: RecommendRequest, answer: Recommendations, more: bool) -> None:
        """Send a further line of an answer, unless a newer request has replaced it."""
        with self._changed:
            if self._pending is not None and self._pending[1] is question:
                self._pending = self._pending if more else None
                self._send({"id": given, "result": plain(answer), "more": more})


def _object(line: bytes) -> Record:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"this line is not JSON ({error})", remedy='Write {"id": 1, "method": "about"}.') from error
    if not isinstance(request, dict):
        raise UserError("this line is not a JSON object", remedy='Write {"id": 1, "method": "about"}.')
    return request


def _text(request: Record, name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise UserError(f"{name} must be a string, not {value!r}", location=name)
    return value[:1000]


def _truth(request: Record, name: str) -> bool | None:
    """true or false; None where the request leaves the choice to the data."""
    value = request.get(name)
    if value is not None and not isinstance(value, bool):
        raise UserError(f"{name} must be true, false or null, not {value!r}", location=name)
    return value


def _count(request: Record, name: str, default: int, most: int = MOST) -> int:
    value = request.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not value >= 0:
        raise UserError(f"{name} must be a non-negative integer, not {value!r}", location=name)
    return min(value, most)
