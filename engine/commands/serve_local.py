"""``engine serve-local``: a small resident process that holds a run's models and answers over stdin and stdout.

One JSON object a line in, one or more a line out; it ends with its input. No port is opened. A request:

    {"id": 1, "method": "search", "text": "toy st", "count": 10}

``id`` is any JSON value and comes back in every line of the answer. Methods and what their ``result`` holds:

    about                        run, data, split, items, rows; models: {model: run that trained it, or null}
    search     text, count       items: [{item, raw, title}], the likeliest first; ms
    people     text, start,      people: [{row, user, events, ranks}] whose id has the text in it, from ``start``
               count, order      on; total. ``order``: row, or of an evaluation gained, lost: by what the distilled
                                 student (or else the teacher) gains in 1/rank over the baseline; ranks: {model: rank}
    recommend  row, or user,     history, user, next, columns, overlap (engine.wire.Recommendations)
               or history; count,
               hide_seen, live

``history`` lists item ids (numbers), titles or raw ids (texts), oldest first. An answer:

    {"id": 1, "result": {...}, "more": false}

``more`` is true when better is to come: models are still being loaded (in the background, the students first; the
teacher when it is first asked live, unless ``live`` is false) or the teacher is still answering. Each further line
holds the whole result again. ``recommend`` asks one question at a time: a newer one ends the one before with
``{"id": ..., "superseded": true, "more": false}``. What a person can put right comes as

    {"id": 1, "error": {"cause": "...", "place": "...", "remedy": "..."}, "more": false}

Titles are searched and the teacher's written answers quoted before torch is there.
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
from engine.recommend.panel import MAKERS, Panel, Question
from engine.recommend.per_user_gain import ORDERS
from engine.wire import HeldOutRow, Recommendations, plain

Record = dict[str, Any]
MOST = 200  # entries of one answer


def serve(options: argparse.Namespace) -> int:
    """Answer until the input ends. The process then leaves at once, whatever is still being loaded."""
    entry = run_of(Store(options.runs), options.ids, "engine serve-local ID")
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not stand between answers
    threading.excepthook = _end
    server = Server(Panel(entry.folder), lambda record: _write(out, record))
    threading.Thread(target=server.work, daemon=True).start()
    for line in sys.stdin.buffer:
        server.take(line)
    sys.stderr.flush()
    os._exit(0)  # without waiting for a thread in the middle of an import


def _write(out: BinaryIO, record: Record) -> None:
    try:
        out.write(json.dumps(record).encode() + b"\n")
        out.flush()
    except BrokenPipeError:  # nobody listens any more
        os._exit(0)


def _end(defect: threading.ExceptHookArgs) -> None:
    """A server whose loader died must not live on and promise answers."""
    traceback.print_exception(defect.exc_type, defect.exc_value, defect.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


class Server:
    """Takes lines in one thread and loads models in another (``work``); ``say`` takes one answer at a time."""

    def __init__(self, panel: Panel, say: Callable[[Record], None]) -> None:
        self.panel = panel
        self._say = say
        self._turn = threading.Condition()
        self._asked: tuple[Any, Question] | None = None  # id and question that still wait for models

    # -- requests --------------------------------------------------------------------------------------------------

    def take(self, line: bytes) -> None:
        """Answer a request, or begin to."""
        given: Any = None
        try:
            request = _object(line)
            given = request.get("id")
            method = request.get("method")
            if method == "recommend":
                self._recommend(given, request)
            elif method in ("about", "search", "people"):
                self._tell({"id": given, "result": getattr(self, f"_{method}")(request), "more": False})
            else:
                raise UserError(f"there is no method {method!r}", remedy="Methods: about, search, people, recommend.")
        except UserError as error:
            told = {"cause": error.cause, "place": error.location, "remedy": error.remedy}
            self._tell({"id": given, "error": told, "more": False})

    def _tell(self, record: Record) -> None:
        with self._turn:
            self._say(record)

    def _about(self, request: Record) -> Record:
        panel = self.panel
        return {
            "run": panel.run,
            "data": panel.data,
            "split": panel.people.split,
            "items": len(panel.catalogue.titles) - 1,
            "rows": len(panel.people),
            "models": {name: panel.run_of(name) for name in MAKERS},
        }

    def _search(self, request: Record) -> Record:
        since = time.perf_counter()
        found = self.panel.catalogue.complete(_text(request, "text"), _count(request, "count", 10))
        items = [plain(self.panel.named(item)) for item in found]
        return {"items": items, "ms": round(1000 * (time.perf_counter() - since), 2)}

    def _people(self, request: Record) -> Record:
        panel, which = self.panel, _text(request, "order") or "row"
        if which not in ("row", *ORDERS):
            raise UserError(
                f"there is no order {which!r}", location="order", remedy=f"Orders: row, {', '.join(ORDERS)}."
            )
        rows = panel.people_by(which, _text(request, "text"))
        start = _count(request, "start", 0, most=len(rows))
        some = rows[start : start + _count(request, "count", 20)]
        ranks = panel.ranks if which in ORDERS else {}
        found = [
            HeldOutRow(
                row,
                panel.people.name(row),
                events=len(panel.people.history(row)),
                ranks={model: float(ranks[model][row]) for model in MAKERS if model in ranks},
            )
            for row in some
        ]
        return {"people": [plain(one) for one in found], "total": len(rows)}

    def _recommend(self, given: Any, request: Record) -> None:
        question = self._question(request)
        unloaded, live = self.panel.needs(question), self.panel.asks_live(question)
        answer = self.panel.answer(question, later=live)
        with self._turn:
            if self._asked is not None:
                self._say({"id": self._asked[0], "superseded": True, "more": False})
            self._asked = (given, question) if unloaded or live else None
            self._say({"id": given, "result": plain(answer), "more": self._asked is not None})
            self._turn.notify()

    def _question(self, request: Record) -> Question:
        people, row = self.panel.people, request.get("row")
        if "user" in request:
            row = people.find(_text(request, "user"))
        if row is None:
            history = of_names(self.panel.catalogue, request.get("history"))
        elif isinstance(row, int) and 0 <= row < len(people):
            history = people.history(row)
        else:
            raise UserError(f"there is no row {row!r}", location="row", remedy=f"Rows are 0 to {len(people) - 1}.")
        count = _count(request, "count", 10)
        return Question(history, row, count, request.get("hide_seen", True) is True, request.get("live", True) is True)

    # -- the thread that loads -------------------------------------------------------------------------------------

    def work(self) -> None:
        """Load the students, then whatever questions wait for; never returns."""
        for name in self.panel.students:
            self.panel.load(name)
        with self._turn:
            waiting = self._asked is not None
        if not waiting:  # a good moment for what a misspelt title needs
            self.panel.catalogue.prepare()
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._asked is not None)
                asked = self._asked
            assert asked is not None
            given, question = asked
            if self.panel.needs(question):
                self._go_on(given, question, self.panel.answer(question, later=True), more=True)
                for name in self.panel.needs(question):
                    self.panel.load(name)
            self._go_on(given, question, self.panel.answer(question), more=False)

    def _go_on(self, given: Any, question: Question, answer: Recommendations, more: bool) -> None:
        """Say more to a question, unless a newer one has come."""
        with self._turn:
            if self._asked is not None and self._asked[1] is question:
                self._asked = self._asked if more else None
                self._say({"id": given, "result": plain(answer), "more": more})


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
        raise UserError(f"{name} must be a text, not {value!r}", location=name)
    return value[:1000]


def _count(request: Record, name: str, usual: int, most: int = MOST) -> int:
    value = request.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not value >= 0:
        raise UserError(f"{name} must be a whole number from 0 on, not {value!r}", location=name)
    return min(value, most)
