"""Baseline, teacher and distilled student side by side on one history. Loads no model before it is asked for.

Importing this file costs neither torch nor transformers: a catalogue can be searched while they are on their way.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.catalogue import column, titles
from engine.errors import UserError
from engine.metrics.lists import first_items, rank_of, shared
from engine.recommend.heldout_users import People, held_out
from engine.recommend.lineage import lineage, made
from engine.recommend.per_user_gain import ORDERS, Ranks, evaluated_ranks, order
from engine.recommend.predictions import Answered, Prediction, Teller
from engine.recommend.titles import Titles
from engine.runs.text import clean
from engine.stages import ADAPTER, DISTILLED_MODEL, ITEMS, LANGUAGE_MODEL, PROFILE, STUDENT_MODEL
from engine.wire import FAILED, LOADING, MISSING_MODEL, READY, ItemNames, ModelList, RankedItem, Recommendations

STUDENTS = {"student": STUDENT_MODEL, "distilled": DISTILLED_MODEL}
TEACHER = "teacher"
# Model -> stage that trains it, in the order in which they stand beside each other.
MAKERS = {"student": STUDENT_MODEL.stage, TEACHER: ADAPTER.stage, "distilled": DISTILLED_MODEL.stage}
MODELS = tuple(MAKERS)


@dataclass(frozen=True)
class Question:
    """A history to go on from. ``row``: it is that of a held-out row, whose next item is known."""

    history: NDArray[np.int32]
    row: int | None = None
    count: int = 10
    hide_seen: bool = True
    live: bool = True  # the teacher may be asked on the spot where it has not answered before


class Panel:
    """The catalogue, the people and the models behind one run. Models are loaded by name, from any thread."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """RunError where no model stands behind the run."""
        self.run, self.device, self._folder = folder.name, device, folder
        self.runs = lineage(folder)
        items = made(self.runs, ITEMS)
        names = [clean(title, 200) for title in titles(items)]
        self.catalogue = Titles(names, ["", *column(items, "raw")])
        self.data: str = json.loads(made(self.runs, PROFILE).read_text(encoding="utf-8"))["name"]
        self.people: People = held_out(folder, self.runs)
        self._tellers: dict[str, Teller | UserError] = {}
        self._answered: Answered | UserError = self._read_answers()

    def _read_answers(self) -> Answered | UserError:
        try:
            return Answered(self.runs, self.people.split, len(self.people))
        except UserError as error:
            return error

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """Model -> the ranks that the evaluation gave the test rows. RunError where the run is no evaluation."""
        return evaluated_ranks(self._folder)

    def people_by(self, which: str, text: str) -> list[int]:
        """Rows whose user's id has ``text`` in it: as they stand, or by ``engine.recommend.per_user_gain.ORDERS``."""
        rows = list(self.people.search(text))
        if which not in ORDERS:
            return rows
        place = np.argsort(order(self.ranks, which))
        return sorted(rows, key=lambda row: int(place[row]))

    # -- models ----------------------------------------------------------------------------------------------------

    @property
    def students(self) -> list[str]:
        """The students that were trained on the way to the run."""
        return [name for name in STUDENTS if STUDENTS[name].stage in self.runs]

    def run_of(self, name: str) -> str | None:
        """The run that trained a model."""
        folder = self.runs.get(MAKERS[name])
        return folder.name if folder else None

    def needs(self, question: Question) -> list[str]:
        """Models that have to be loaded before the question is answered completely."""
        names = [*self.students, *([TEACHER] if self.asks_live(question) else [])]
        return [name for name in names if name not in self._tellers]

    def asks_live(self, question: Question) -> bool:
        """Whether the teacher has to think about it: it has written down no answer to it, and may be asked."""
        stored = question.row is not None and isinstance(self._answered, Answered)
        return question.live and not stored and ADAPTER.stage in self.runs and len(question.history) > 0

    def load(self, name: str) -> None:
        """Make a model ready, or know why it cannot be."""
        try:
            self._tellers[name] = self._teller(name)
        except UserError as error:
            self._tellers[name] = error

    def _teller(self, name: str) -> Teller:
        if name == TEACHER:
            made(self.runs, ADAPTER), made(self.runs, LANGUAGE_MODEL)
            from engine.recommend.teacher_live import LiveTeacher

            told = self._answered
            popularity, gamma = told.grounding if isinstance(told, Answered) else (None, 0.0)
            return LiveTeacher(self.runs[ADAPTER.stage], self.device, popularity, gamma)
        path = made(self.runs, STUDENTS[name])
        from engine.recommend.recommendations import scorer

        return scorer(path, self.device)

    # -- answers ---------------------------------------------------------------------------------------------------

    def answer(self, question: Question, later: bool = False) -> Recommendations:
        """What the models that are loaded say now; ``later``: the teacher need not think now, it is asked again."""
        people, row = self.people, question.row
        target = people.next(row) if row is not None else None
        told = {name: self._column(name, question, target, later) for name in MODELS}
        lists = {name: [one.item for one in column.items] for name, column in told.items() if column.state == READY}
        return Recommendations(
            history=[self.named(item) for item in question.history.tolist()],
            user="" if row is None else people.name(row),
            next=None if target is None else self.named(target),
            columns=list(told.values()),
            overlap=shared(lists),
        )

    def named(self, item: int) -> ItemNames:
        """An item's names."""
        return ItemNames(item, clean(self.catalogue.raw[item], 80), self.catalogue.titles[item])

    def _column(self, name: str, question: Question, target: int | None, later: bool) -> ModelList:
        folder = self.runs.get(MAKERS[name])
        if folder is None:
            return ModelList(name, "", MISSING_MODEL, f"no {MAKERS[name]} run stands behind {self.run}")
        if not len(question.history):
            return ModelList(name, folder.name, MISSING_MODEL, "nothing can be said of an empty history")
        if name == TEACHER and question.row is not None and isinstance(self._answered, Answered):
            row, answered = question.row, self._answered
            return self._ready(name, folder, "knowledge", lambda _: answered(row), question, target)
        if name == TEACHER and not question.live:
            return ModelList(name, folder.name, MISSING_MODEL, self._unasked(question))
        teller = self._tellers.get(name)
        if teller is None:
            what = "the language model" if name == TEACHER else "the model"
            return ModelList(name, folder.name, LOADING, f"loading {what}")
        if isinstance(teller, UserError):
            return ModelList(name, folder.name, FAILED, clean(str(teller).replace("\n", "  "), 400))
        if name == TEACHER and later:
            return ModelList(name, folder.name, LOADING, "asking the teacher")
        return self._ready(name, folder, "live" if name == TEACHER else "", teller, question, target)

    def _unasked(self, question: Question) -> str:
        if question.row is not None and isinstance(self._answered, UserError):
            return f"{self._answered.cause}; it is not asked live"
        return "knowledge holds its answers to held-out rows only; it is not asked live"

    def _ready(
        self,
        name: str,
        folder: Path,
        source: str,
        teller: Callable[[NDArray[np.int32]], Prediction],
        question: Question,
        target: int | None,
    ) -> ModelList:
        since = time.perf_counter()
        told = teller(question.history)
        seen = question.history.tolist() if question.hide_seen else []
        try:
            best = first_items(told.scores, seen, question.count)
            rank = None if target is None else rank_of(told.scores, seen, target)
        except ValueError as error:
            return ModelList(name, folder.name, FAILED, f"{error}: engine doctor {folder.name} says why", source)
        items = []
        for place, (item, score) in enumerate(best, start=1):
            names = self.named(item)
            items.append(RankedItem(place, item, names.raw, names.title, round(score, 5), item == target))
        gates = None if told.gates is None else [round(float(weight), 4) for weight in told.gates]
        taken = 1000 * (time.perf_counter() - since)
        return ModelList(name, folder.name, READY, "", source, items, rank, gates, round(taken, 2))
