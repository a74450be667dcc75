"""Baseline, teacher and distilled student side by side on one history. Loads no model before it is asked for.

Importing this file costs neither torch nor transformers: a catalogue can be searched while they are on their way.
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.settings.evaluate import AUTO
from engine.data.catalogue import column, titles
from engine.data.repeated_targets import hides_seen, validation_share
from engine.errors import UserError
from engine.metrics.lists import first_items, rank_of, shared
from engine.recommend.heldout_users import HeldOutUsers, held_out
from engine.recommend.lineage import lineage, made
from engine.recommend.per_user_gain import ORDERS, Ranks, evaluated_ranks, order
from engine.recommend.predictions import Predictor, StoredAnswers
from engine.recommend.titles import Titles
from engine.runs.text import clean
from engine.stages import (
    ADAPTER,
    DISTILLED_MODEL,
    ITEMS,
    LANGUAGE_MODEL,
    PROFILE,
    STUDENT_MODEL,
    TEACHER_HELD_OUT,
    VALIDATION,
)
from engine.wire import FAILED, LOADING, MISSING_MODEL, READY, ItemNames, ModelList, RankedItem, Recommendations

STUDENTS = {"student": STUDENT_MODEL, "distilled": DISTILLED_MODEL}
TEACHER = "teacher"
# Model -> stage that trains it, in the order in which they stand beside each other.
MAKERS = {"student": STUDENT_MODEL.stage, TEACHER: ADAPTER.stage, "distilled": DISTILLED_MODEL.stage}
MODELS = tuple(MAKERS)
HIDDEN = "the next item is in the history, whose items are hidden: it has no rank"


@dataclass(frozen=True)
class RecommendRequest:
    """A history to go on from. ``row``: it is that of a held-out row, whose next item is known."""

    history: NDArray[np.int32]
    row: int | None = None
    count: int = 10
    hide_seen: bool | None = None  # None: as evaluate.hide_seen=auto does for these data
    live: bool = True  # the teacher may be asked on the spot where it has not answered before


class Panel:
    """Catalogue, held-out users and models of a run and of what it was made from. Models load in any thread."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """RunError where neither the run nor one that it was made from has a model."""
        self.run, self.device, self._folder = folder.name, device, folder
        self.runs = lineage(folder)
        items = made(self.runs, ITEMS)
        names = [clean(title, 200) for title in titles(items)]
        self.catalogue = Titles(names, ["", *column(items, "raw")])
        profile = json.loads(made(self.runs, PROFILE).read_text(encoding="utf-8"))
        self.data: str = profile["name"]
        self.hide_seen = hides_seen(AUTO, validation_share(profile, made(self.runs, VALIDATION)))
        self.users: HeldOutUsers = held_out(folder, self.runs)
        self._predictors: dict[str, Predictor | UserError] = {}
        self._stored: StoredAnswers | UserError = self._read_answers()

    def _read_answers(self) -> StoredAnswers | UserError:
        try:
            return StoredAnswers(self.runs, self.users.split, self.users.rows)
        except UserError as error:
            return error

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """Model -> the ranks that the evaluation gave the test rows. RunError where the run is no evaluation."""
        return evaluated_ranks(self._folder)

    def rows_by(self, which: str, text: str) -> list[int]:
        """Rows whose user's id contains ``text``: in their own order, or in one of ``per_user_gain.ORDERS``."""
        rows = list(self.users.search(text))
        if which not in ORDERS:
            return rows
        position = np.argsort(order(self.ranks, which))
        return sorted(rows, key=lambda row: int(position[row]))

    # -- models ----------------------------------------------------------------------------------------------------

    @property
    def students(self) -> list[str]:
        """The students among the runs, in order."""
        return [name for name in STUDENTS if STUDENTS[name].stage in self.runs]

    def run_of(self, name: str) -> str | None:
        """The run that trained a model."""
        folder = self.runs.get(MAKERS[name])
        return folder.name if folder else None

    def needs(self, request: RecommendRequest) -> list[str]:
        """Models that must be loaded before every column can be filled."""
        names = [*self.students, *([TEACHER] if self.asks_teacher_live(request) else [])]
        return [name for name in names if name not in self._predictors]

    def asks_teacher_live(self, request: RecommendRequest) -> bool:
        """Whether the teacher computes its scores now: no stored answer fits, and live queries are allowed."""
        stored = request.row is not None and isinstance(self._stored, StoredAnswers)
        return (
            request.live and not stored and not self._mixed and ADAPTER.stage in self.runs and len(request.history) > 0
        )

    @property
    def _mixed(self) -> bool:
        """Whether the knowledge is not that of a teacher alone."""
        return isinstance(self._stored, StoredAnswers) and self._stored.mixed

    def load(self, name: str) -> None:
        """Load a model, or keep the error that prevents it."""
        try:
            self._predictors[name] = self._predictor(name)
        except UserError as error:
            self._predictors[name] = error

    def _predictor(self, name: str) -> Predictor:
        if name == TEACHER:
            made(self.runs, ADAPTER), made(self.runs, LANGUAGE_MODEL)
            from engine.recommend.teacher_live import LiveTeacher

            stored = self._stored
            popularity, gamma = stored.grounding if isinstance(stored, StoredAnswers) else (None, 0.0)
            return LiveTeacher(self.runs[ADAPTER.stage], self.device, popularity, gamma)
        path = made(self.runs, STUDENTS[name])
        from engine.recommend.recommendations import student_predictor

        return student_predictor(path, self.device)

    # -- answers ---------------------------------------------------------------------------------------------------

    def answer(self, request: RecommendRequest, later: bool = False) -> Recommendations:
        """The lists of all loaded models. ``later``: a live teacher is left loading, because another call follows."""
        users, row = self.users, request.row
        target = users.next(row) if row is not None else None
        columns = {name: self._column(name, request, target, later) for name in MODELS}
        lists = {name: [one.item for one in column.items] for name, column in columns.items() if column.state == READY}
        return Recommendations(
            history=[self.named(item) for item in request.history.tolist()],
            user="" if row is None else users.name(row),
            next=None if target is None else self.named(target),
            columns=list(columns.values()),
            overlap=shared(lists),
        )

    def named(self, item: int) -> ItemNames:
        """An item's names."""
        return ItemNames(item, clean(self.catalogue.raw[item], 80), self.catalogue.titles[item])

    def _column(self, name: str, request: RecommendRequest, target: int | None, later: bool) -> ModelList:
        mixed = name == TEACHER and self._mixed
        folder = self.runs.get(TEACHER_HELD_OUT.stage if mixed else MAKERS[name])
        if folder is None:
            return ModelList(name, "", MISSING_MODEL, f"no {MAKERS[name]} run stands behind {self.run}")
        if not len(request.history):
            return ModelList(name, folder.name, MISSING_MODEL, "nothing can be said of an empty history")
        if name == TEACHER and request.row is not None and isinstance(self._stored, StoredAnswers):
            row, stored = request.row, self._stored
            return self._ready(name, folder, "knowledge", lambda _: stored(row), request, target)
        if mixed:
            text = "knowledge.models are several models, whose answers to held-out rows alone are stored"
            return ModelList(name, folder.name, MISSING_MODEL, text)
        if name == TEACHER and not request.live:
            return ModelList(name, folder.name, MISSING_MODEL, self._not_asked(request))
        predict = self._predictors.get(name)
        if predict is None:
            what = "the language model" if name == TEACHER else "the model"
            return ModelList(name, folder.name, LOADING, f"loading {what}")
        if isinstance(predict, UserError):
            return ModelList(name, folder.name, FAILED, clean(str(predict).replace("\n", "  "), 400))
        if name == TEACHER and later:
            return ModelList(name, folder.name, LOADING, "asking the teacher")
        return self._ready(name, folder, "live" if name == TEACHER else "", predict, request, target)

    def _not_asked(self, request: RecommendRequest) -> str:
        if request.row is not None and isinstance(self._stored, UserError):
            return f"{self._stored.cause}; it is not asked live"
        return "knowledge holds its answers to held-out rows only; it is not asked live"

    def _ready(
        self,
        name: str,
        folder: Path,
        source: str,
        predict: Predictor,
        request: RecommendRequest,
        target: int | None,
    ) -> ModelList:
        since = time.perf_counter()
        prediction = predict(request.history)
        hide_seen = self.hide_seen if request.hide_seen is None else request.hide_seen
        seen = request.history.tolist() if hide_seen else []
        try:
            best = first_items(prediction.scores, seen, request.count)
            rank = None if target is None or target in seen else rank_of(prediction.scores, seen, target)
        except ValueError as error:
            return ModelList(name, folder.name, FAILED, f"{error}: engine doctor {folder.name} says why", source)
        note = HIDDEN if target is not None and target in seen else ""
        items = []
        for position, (item, score) in enumerate(best, start=1):
            names = self.named(item)
            items.append(RankedItem(position, item, names.raw, names.title, round(score, 5), item == target))
        gates = None if prediction.gates is None else [round(float(weight), 4) for weight in prediction.gates]
        milliseconds = 1000 * (time.perf_counter() - since)
        return ModelList(name, folder.name, READY, note, source, items, rank, gates, round(milliseconds, 2))
