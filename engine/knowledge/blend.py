"""Knowledge of several models: the mean of their log-softmax over the catalogue, as one product of wide vectors.

sum_m w_m log p_m(i) = sum_m w_m s_m(i) + a constant of the row, so that queries [w_1 u_1, w_2 u_2, ..], item vectors
[e_1, e_2, ..] and biases sum_m w_m b_m give the same rankings and, after a softmax, the same probabilities.
Letters: E events, R rows, n items, D widths of the students together, W width of a query vector, Q prompts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.config.settings.knowledge import TITLE_VECTORS, KnowledgeSettings
from engine.data import ids
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError, RunError
from engine.knowledge.rankings import top_items
from engine.knowledge.scorers import Scorer
from engine.metrics import ranking
from engine.metrics.ranking import Histories
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import BASELINE, DISTILLED_MODEL, ITEMS, STUDENT_MODEL, TEACHER, TEXT_VECTORS
from engine.student.cold_items import ColdItems
from engine.student.model import load_student
from engine.student.title_similarity import title_axes
from engine.student.untrained import RowScores, real_titles
from engine.student.validation import Tick
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.prompting.spans import PromptSpans

MODELS = {artifact.stage: artifact for artifact in (STUDENT_MODEL, DISTILLED_MODEL)}


@dataclass(frozen=True)
class Blend:
    """Students and their weights; scores of item i after a query q: <q, table_i> + bias_i. There may be no student."""

    students: Sequence[FrozenStudent]
    weights: Sequence[float]
    items: int  # n

    @classmethod
    def of(cls, students: Mapping[str, FrozenStudent], weights: Mapping[str, float], items: int) -> "Blend":
        """The students that have a weight."""
        kept = [name for name in students if weights[name]]
        return cls([students[name] for name in kept], [weights[name] for name in kept], items)

    @property
    def table(self) -> Tensor:  # [n + 1, D]
        tables = [one.table for one in self.students]
        return torch.cat(tables, dim=1) if tables else torch.zeros(ids.rows(self.items), 0)

    @property
    def bias(self) -> Tensor | None:  # [n + 1]
        pairs = zip(self.students, self.weights, strict=True)
        found = [weight * one.bias for one, weight in pairs if one.bias is not None]
        return torch.stack(found).sum(dim=0) if found else None

    def after_events(self, sequences: Sequences, device: str, tick: Tick) -> Tensor:  # [E, D]
        """The query after each event, given the same user's events up to it."""
        found = [one.after_events(sequences, device, tick) for one in self.students]
        return self._joined(found, len(sequences.items))

    def after_rows(self, rows: Rows, device: str, tick: Tick) -> Tensor:  # [R, D]
        """The query after each held-out row's history."""
        return self._joined([one.after_rows(rows, device, tick) for one in self.students], len(rows))

    def _joined(self, states: Sequence[Tensor], rows: int) -> Tensor:
        parts = [weight * part for part, weight in zip(states, self.weights, strict=True)]
        return torch.cat([torch.zeros(rows, 0), *parts], dim=1)


@dataclass(frozen=True)
class Together:
    """The teacher's frozen student and the other students of a mixture: states [.., D' + D], the teacher's first."""

    own: FrozenStudent
    others: Blend

    def after_events(self, sequences: Sequences, device: str, tick: Tick) -> Tensor:  # [E, D' + D]
        parts = [one.after_events(sequences, device, tick) for one in (self.own, self.others)]
        return torch.cat(parts, dim=1)

    def after_rows(self, rows: Rows, device: str, tick: Tick) -> Tensor:  # [R, D' + D]
        return torch.cat([one.after_rows(rows, device, tick) for one in (self.own, self.others)], dim=1)


def names_and_weights(settings: KnowledgeSettings) -> dict[str, float]:
    """Model -> its weight in the mean as the settings give it, equal where they are chosen later; together 1."""
    weights = settings.weights or [1.0] * len(settings.models)
    return {name: weight / sum(weights) for name, weight in zip(settings.models, weights, strict=True)}


def note_models(settings: KnowledgeSettings, weights: Mapping[str, float], run: Run) -> None:
    """Notes whose knowledge it is, with which weights, and which runs trained them."""
    run.note(
        models={name: round(weight, 6) for name, weight in weights.items()},
        model_runs={name: folder.name for name, folder in sources(settings, run).items()},
    )


def sources(settings: KnowledgeSettings, run: Run) -> dict[str, Path]:
    """Model -> the folder of the run that trained it."""
    stages = {BASELINE: STUDENT_MODEL.stage, TEACHER: TEACHER}
    inputs = run.info.inputs
    found = {name: inputs.get(stages[name]) if name in stages else name for name in settings.trained}
    missing = [name for name, one in found.items() if one is None or one not in inputs.values()]
    if missing:
        raise RunError(
            f"this run was planned without {missing[0]}, which knowledge.models names",
            location=run.id,
            remedy="Plan it again: engine run knowledge --again",
        )
    return {name: run.folder.parent / one for name, one in found.items() if one}


def students_of(
    settings: KnowledgeSettings, run: Run, items: int, device: str, text: Tensor | None
) -> dict[str, FrozenStudent]:
    """The students among the models. RunError where one has another number of items.

    Where ``text`` [n + 1, H] is at hand, baselines, which know nothing of items without a training event, rank these as
    items of similar text: one model that rules an item out would rule it out of the mixture.
    """
    found = {}
    cold = None if text is None else ColdItems.of_items(run.input(ITEMS), text.to(device))
    for name, folder in sources(settings, run).items():
        if name == TEACHER:
            continue
        artifact = STUDENT_MODEL if name == BASELINE else MODELS[RunInfo.read(folder).stage]
        path = run.input(artifact) if name == BASELINE else folder / ARTIFACTS / artifact.file
        model = load_student(path, device)
        if model.items != items:
            raise RunError(
                f"{name} knows {model.items} items, these data have {items}",
                location="knowledge.models",
                remedy="Name runs that were made from these data.",
            )
        found[name] = FrozenStudent.of(model, cold if artifact is STUDENT_MODEL else None)
    return found


def text_vectors(settings: KnowledgeSettings, run: Run) -> Tensor | None:  # -> [n + 1, H]
    """The items' vectors where ``knowledge.item_vectors`` means those of texts or titles.

    Where no item has a title they have no numbers [n + 1, 0]; DataError where ``titles`` was asked for by name.
    """
    if settings.vectors_of == "text":
        return load_file(run.input(TEXT_VECTORS))["vectors"]
    if settings.vectors_of != TITLE_VECTORS:
        return None
    titles = real_titles(run.input(ITEMS))
    if not any(titles) and settings.item_vectors != TITLE_VECTORS:
        run.log("info", "no item has a title, so items get no vectors")
        return torch.zeros(len(titles), 0)
    if not any(titles):
        raise DataError(
            "no item has a title that item vectors could be made of",
            location="knowledge.item_vectors",
            remedy=f"Name a trained model besides (knowledge.models=[{BASELINE},..]), or give titles "
            "(data.columns.title).",
        )
    return title_axes(titles)


def item_vectors(settings: KnowledgeSettings, students: dict[str, FrozenStudent], teacher: Tensor | None) -> Tensor:
    """What the model that ``knowledge.item_vectors`` names scores items by; ``key``: the first trained model."""
    name = settings.vectors_of
    vectors = teacher if name == TEACHER else students[name].table
    assert vectors is not None
    return vectors.cpu()


def mixed(scorer: Scorer, own: float, width: int, others: Blend, top: int) -> Scorer:
    """A teacher that scores the catalogue, and students beside it, if any.

    ``own`` is the teacher's weight; of the states that ``Together`` gives, the first ``width`` columns are its own.
    """
    table = torch.cat([scorer.stored["table"], others.table.to(scorer.stored["table"])], dim=1)
    biases = [] if scorer.stored.get("bias") is None else [own * scorer.stored["bias"]]
    biases += [] if others.bias is None else [others.bias]
    bias = torch.stack(biases).sum(dim=0) if biases else None

    def queries(spans: PromptSpans, states: Tensor, rows: Ints, tick: Tick) -> tuple[Tensor, Tensor]:
        found, gates = scorer.queries(spans, states[:, :width], rows, tick)
        return torch.cat([own * found, states[torch.from_numpy(rows), width:].to(found)], dim=1), gates

    def first(found: Tensor, seen: Histories | None, added: RowScores | None) -> tuple[Tensor, Tensor]:
        return top_items(found, table, bias, seen, top, added)

    def scores(found: Tensor) -> Tensor:
        return ranking.score_items(found, table, bias)

    stored = {"table": table} if bias is None else {"table": table, "bias": bias}
    return replace(scorer, queries=queries, first=first, scores=scores, stored=stored, width=table.shape[1])
