"""Checks of the metrics of trained models on held-out rows: full ranking, by the protocol of evaluate.hide_seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Rows
from engine.doctor import subset
from engine.doctor.case import Case
from engine.doctor.check import FAIL, WARN, Outcome, Unavailable, check, judged, without
from engine.doctor.mixture import mixtures
from engine.evaluate.models import Scorer, models
from engine.metrics import ranking
from engine.metrics.selection import cross_fitted
from engine.metrics.statistics import PairedDifference, paired_rows
from engine.runs.schema import Summary
from engine.stages import (
    ADAPTER,
    FLOOR,
    GAMMA_OPTIMISM,
    MODELS,
    RANKINGS,
    REFERENCES,
    TRAIN_TOKENS,
    UNTRAINED,
    VAL_LM_NDCG,
    WEIGHTS_OPTIMISM,
    makes,
)
from engine.teacher.build import settings_of

ROWS = 2000  # held-out rows that are ranked at most
APART, FAR_APART = (
    0.35,
    0.6,
)  # relative difference of validation and test: warned above the first, failed above the second
ERRORS = 4.0  # standard errors within which they may differ anyway
BOOTSTRAP, SEED = 500, 1  # of the interval of a difference
PAYS = 0.01  # of the figure without a language model's states: the gain that has to be sure; these rows chose the epoch

T = TypeVar("T")


@dataclass(frozen=True)
class Ranked:
    """The ranks of the targets of one split by one model."""

    ranks: NDArray[np.float64]  # [R]
    ndcg: NDArray[np.float64]  # [R] at 10


def values(case: Case, model: str) -> dict[str, Ranked]:
    """By split. Unavailable when the model is not trained."""

    def make() -> dict[str, Ranked]:
        hide_seen = case.hides_seen(case.config.evaluate.hide_seen)
        scorers = scorers_of(case, model).items()
        return {split: _ranked(score, case.rows[split], case.device, hide_seen) for split, score in scorers}

    if model not in UNTRAINED:
        case.trained(MODELS[model].stage)
    found: dict[str, Ranked] = case.once(f"values of {model}", make)
    return found


def compared(base: Ranked, own: Ranked) -> tuple[PairedDifference, str]:
    """The difference of two models on the same validation rows, and the evidence."""
    difference = paired_rows(base.ndcg, own.ndcg, BOOTSTRAP, SEED)
    return difference, (
        f"validation ndcg@10 {float(np.mean(base.ndcg)):.4f} → {float(np.mean(own.ndcg)):.4f}, "
        f"95 % interval of the difference {difference.low:+.4f} to {difference.high:+.4f}"
    )


@check(
    "beats-popularity",
    "student",
    "teacher",
    detects="a trained model that ranks no better than item counts",
    cause="it has learned nothing about users: histories and targets do not belong together, it was hardly trained, or "
    "its scores are in another numbering",
    remedy="engine doctor --only overfits shows whether it can learn at all; engine show {stage} shows its curve.",
)
def beats_popularity(case: Case, stage: str) -> Outcome:
    """The model ranks better than popularity."""
    if makes(stage, ADAPTER) and "knowledge" not in case.finished:
        own, facts = _as_trained(case)
        base = facts["validation_popularity"]
    else:
        own, base = (float(values(case, name)["validation"].ndcg.mean()) for name in (stage, FLOOR))
    return judged(own > base, f"validation ndcg@10 {own:.4f}, popularity {base:.4f}")


@check(
    "teacher-beats-student",
    "teacher",
    detects="a teacher that is no better than the student",
    cause="the teacher's gain over the student cannot be told from zero: titles carry little about preferences, the "
    "language model was hardly trained, or the student already knows it",
    remedy="Distillation can then add only noise. Give the teacher more text (backbone.text), a stronger language "
    "model, or more steps; engine show of the teacher states what text alone reaches.",
)
def teacher_beats_student(case: Case) -> Outcome:
    """The teacher ranks significantly better than the student on rows that did not choose its mixture: else there is
    nothing to distil."""
    if "knowledge" in case.finished:
        base, own, note = values(case, "student")["validation"], values(case, "teacher")["validation"], ""
        optimism = 0.0
        if (found := mixtures(case, ROWS)) is not None:
            fitted = cross_fitted(found.ndcg, found.users)
            if fitted is None:
                raise Unavailable("its validation rows have too few users to choose and judge on different ones")
            own = Ranked(own.ranks, fitted[0])
            note = f"; each half of the users judges the mixture that the other half chose, optimism {fitted[1]:+.4f}"
        else:
            facts = _facts(case.run_of("knowledge"))
            for what, name in (("gamma", GAMMA_OPTIMISM), ("weights", WEIGHTS_OPTIMISM)):
                if (known := facts.get(name)) is not None:
                    optimism += max(float(known), 0.0)
                    note += f"; less the optimism of having chosen {what} on these rows, {known:+.4f}"
        difference, evidence = compared(base, own)
        return judged(difference.low > optimism, evidence + note, WARN)
    best, facts = _as_trained(case)
    if best > facts["validation_student"]:
        raise Unavailable("it is ahead on the rows that chose its mixture; engine run knowledge lets others judge")
    return judged(False, f"validation ndcg@10 {facts['validation_student']:.4f} → {best:.4f}", WARN)


@check(
    "language-model-pays",
    "teacher",
    detects="a language model whose states add less than 1 % to the student's scores and the items' text vectors",
    cause="the states carry nothing about preferences that the text vectors lack: too few positions were trained on, "
    "the language model is too small, or titles say no more than their vectors",
    remedy="teacher.rank.states=false is about as good on these rows and runs no language model, in training or "
    "when it is asked. More positions (teacher.epochs, teacher.steps) or a stronger backbone may change that; states "
    "that rank below popularity alone have learned next to nothing, and teacher.rank.text_score_dropout=1 trains them "
    "without the text's score.",
)
def language_model_pays(case: Case) -> Outcome:
    """Mixtures with the language model's states surely rank better by ``PAYS`` than those without, on other rows than
    chose either."""
    if "knowledge" not in case.finished:
        raise Unavailable("knowledge is not made yet, which keeps the states of validation rows")
    found = mixtures(case, ROWS)
    rules = settings_of(case.input_of("knowledge", ADAPTER)).rank
    if found is None or rules is None or not rules.states:
        raise Unavailable("this teacher mixes no states of its language model")
    trained = _states_as_trained(case)
    if not found.lm_weights.any():
        return judged(False, f"the mixture that validation rows chose gives the states no weight{trained}", WARN)
    used = found.lm_weights > 0
    if used.all():
        raise Unavailable("teacher.rank.lm_weights holds no 0, so nothing was ranked without the states")
    without_states, with_states = (cross_fitted(found.ndcg[part], found.users) for part in (~used, used))
    if without_states is None or with_states is None:
        raise Unavailable("its validation rows have too few users to choose and judge on different ones")
    base, own = (Ranked(fitted, fitted) for fitted, _ in (without_states, with_states))
    difference, evidence = compared(base, own)
    least = PAYS * float(np.mean(base.ndcg))
    evidence = f"without and with the states: {evidence}, asked for {least:+.4f}"
    return judged(difference.low > least, evidence + trained, WARN)


@check(
    "above-untrained",
    "evaluate",
    detects="a trained model that ranks below transition counts, similar titles or both",
    cause="the model has not learned what counting gives: it was trained too short or with unsuitable settings, or the "
    "data are so sparse that counts and titles say more than a model of this kind can learn",
    remedy="No result of this experiment should be called a gain before its model is above that row: more epochs "
    "(engine show of the run shows whether it still improved), engine tune, text vectors; then engine run evaluate.",
)
def above_untrained(case: Case) -> Outcome:
    """No trained model ranks significantly below the best model that needs no training, on validation rows."""
    least = {name: found["validation"] for name in UNTRAINED if (found := values(case, name))}
    best = max(least, key=lambda name: float(least[name].ndcg.mean()))
    below, shown = [], []
    for model, found in _of_models(case, values):
        if model in REFERENCES or "validation" not in found:
            continue
        difference, evidence = compared(least[best], found["validation"])
        shown.append(f"{best} and {model}: {evidence}")
        below += [shown[-1]] if difference.high < 0 else []
    if not shown:
        raise Unavailable("no model of this experiment is trained yet")
    return judged(not below, "; ".join(below or shown), WARN)


@check(
    "validation-and-test-agree",
    "evaluate",
    detects="validation and test rows of different distributions",
    cause="the two splits hold different kinds of rows, or one of them was seen in training",
    remedy="engine doctor --only no-leak checks the split; choose another data.split if rows are too few.",
)
def validation_and_test_agree(case: Case) -> Outcome:
    """The metrics on validation rows, which select models, agree with those on test rows."""
    shown, worst = [], 0.0
    for model, found in _of_models(case, values):
        if len(found) < 2 or model in UNTRAINED:
            continue
        first, second = (found[split].ndcg for split in ("validation", "test"))
        a, b = float(first.mean()), float(second.mean())
        shown.append(f"{model} {a:.4f} and {b:.4f}")
        error = float(np.sqrt(first.var() / len(first) + second.var() / len(second)))
        if abs(a - b) > ERRORS * error:
            worst = max(worst, abs(a - b) / max(a, b))
    if not shown:
        raise Unavailable("no model of this experiment is trained yet")
    evidence = "ndcg@10 on validation and test: " + "; ".join(shown)
    return judged(worst <= APART, evidence, FAIL if worst > FAR_APART else WARN)


@check(
    "padding-never-ranked",
    "evaluate",
    detects="a padding column that is ranked",
    cause="the padding's column takes part in the ranking and lowers every target's rank",
    remedy="Scores have n + 1 columns; engine.metrics.ranking.score_items sets column 0 to minus infinity.",
)
def padding_never_ranked(case: Case) -> Outcome:
    """Column 0 of every model's scores is minus infinity, and no list of best items holds the padding."""
    faults, examined = [], []
    for model, scorers in _of_models(case, scorers_of):
        for split, score in scorers.items():
            some = slice(0, min(32, len(case.rows[split]), subset.ROWS))
            scores = score(some)
            best = scores.topk(min(10, scores.shape[1] - 1), dim=1).indices
            if (scores[:, ids.PADDING] != -torch.inf).any() or (best == ids.PADDING).any():
                faults.append(f"{model} gives the padding {float(scores[:, ids.PADDING].max()):.3g} on {split} rows")
        examined += [model] if scorers else []
    if not examined:
        raise Unavailable("no model of this experiment can rank yet")
    return without(faults, f"minus infinity in column 0: {', '.join(examined)}")


def _of_models(case: Case, compute: Callable[[Case, str], dict[str, T]]) -> Iterator[tuple[str, dict[str, T]]]:
    """``compute`` for every model of the experiment that is available."""
    for model in case.config.evaluate.models:
        try:
            found = compute(case, model)
        except Unavailable:
            continue
        yield model, found


def scorers_of(case: Case, model: str) -> dict[str, Scorer]:
    """The model's scores of the data's held-out rows, by split."""

    def make() -> dict[str, Scorer]:
        stage = MODELS[model].stage
        inputs = {"data": case.run_of("data").name}
        splits, items = case.rows, case.items
        if model not in UNTRAINED:
            inputs[stage] = case.run_of(stage).name
            if makes(stage, RANKINGS) and stage not in case.finished:  # its dry run ranks the rows of the subset
                splits = {split: subset.rows(rows, subset.ROWS) for split, rows in splits.items()}
        run = case.scratch_run("evaluate", inputs, f"ranks-{model}")
        loaded = models([model], run, splits, items, case.device)
        return loaded[0].scorers if loaded else {}

    scorers: dict[str, Scorer] = case.once(f"scorers of {model}", make)
    return scorers


@torch.no_grad()
def _ranked(score: Scorer, rows: Rows, device: str, hide_seen: bool) -> Ranked:
    rows = subset.rows(rows, ROWS)
    seen = ranking.on_device(rows.items, rows.start, rows.stop, device)
    columns = int(score(slice(0, 1)).shape[1])
    whole = ranking.ranks_of(score, columns, seen[0][seen[2]].long(), seen if hide_seen else None).cpu()
    return Ranked(whole.numpy(), ranking.ndcg(whole, 10).numpy())


def _as_trained(case: Case) -> tuple[float, dict[str, float]]:
    """The teacher run's own validation metrics: its best NDCG@10, and those of the models it is compared with."""
    facts = _facts(case.trained("teacher"))
    best = facts.get("best", {}).get("val_ndcg@10")
    if best is None or "validation_popularity" not in facts:
        raise Unavailable(
            "this teacher ranks candidates only (candidate-controls): engine run knowledge ranks the catalogue with it"
        )
    return float(best), {name: float(value) for name, value in facts.items() if name.startswith("validation_")}


def _states_as_trained(case: Case) -> str:
    """What the teacher's states rank like alone, and what they cost: whether they have learned anything."""
    summary = Summary.read(case.run_of("teacher"))
    kept, facts = (summary.kept, summary.facts) if summary else ({}, {})
    alone, popularity, tokens = kept.get(VAL_LM_NDCG.name), facts.get("validation_popularity"), facts.get(TRAIN_TOKENS)
    quality = "" if None in (alone, popularity) else f"; alone they have {alone:.4f}, popularity {popularity:.4f}"
    return quality + (f"; trained on {tokens:,} tokens" if tokens else "")


def _facts(folder: Path) -> dict[str, Any]:
    """What the stage of a run noted."""
    summary = Summary.read(folder)
    return summary.facts if summary else {}
