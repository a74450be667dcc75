"""How well trained models rank held-out rows: full ranking, seen items hidden. Figures of a rehearsal say nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Rows
from engine.doctor import cut
from engine.doctor.case import Case
from engine.doctor.outcome import NotThere, Outcome, failed, judged, passed, warned
from engine.evaluate.models import Scorer, models
from engine.metrics import ranking
from engine.metrics.statistics import PairedDifference, paired_rows
from engine.runs.schema import Summary
from engine.stages import MODELS

ROWS = 2000  # held-out rows that are ranked at most
APART, FAR_APART = 0.35, 0.6  # share by which validation and test may differ, and beyond which something is wrong
ERRORS = 4.0  # standard errors within which they may differ anyway


@dataclass(frozen=True)
class Ranked:
    """What one model makes of the rows of one split."""

    ranks: NDArray[np.float64]  # [R]
    ndcg: NDArray[np.float64]  # [R] at 10


def values(case: Case, model: str) -> dict[str, Ranked]:
    """By split. NotThere when the model is not trained."""

    def make() -> dict[str, Ranked]:
        return {split: _ranked(score, case.rows[split], case.device) for split, score in _scorers(case, model).items()}

    if model != "popularity":
        case.trained(MODELS[model].stage)
    found: dict[str, Ranked] = case.once(f"values of {model}", make)
    return found


def beats_popularity(case: Case, model: str) -> Outcome:
    """A model that learned from histories ranks better than counting does."""
    if model == "teacher" and "knowledge" not in case.finished:
        own, facts = _as_trained(case)
        base = facts["validation_popularity"]
    else:
        own, base = (float(values(case, name)["validation"].ndcg.mean()) for name in (model, "popularity"))
    return judged(
        own > base,
        f"validation ndcg@10 {own:.4f}, popularity {base:.4f}",
        "it has learned nothing about users: histories and targets do not belong together, it was hardly trained, or "
        "its scores are in another numbering",
        f"engine doctor --only overfits says whether it can learn at all; engine show {_maker(model)} shows its curve.",
    )


def against(base: Ranked, own: Ranked) -> tuple[PairedDifference, str]:
    """How two models differ on the same validation rows, and that in words."""
    found = paired_rows(base.ndcg, own.ndcg, 500, 1)
    return found, (
        f"validation ndcg@10 {float(np.mean(base.ndcg)):.4f} → {float(np.mean(own.ndcg)):.4f}, "
        f"95 % interval of the difference {found.low:+.4f} to {found.high:+.4f}"
    )


def teacher_beats_student(case: Case) -> Outcome:
    """The teacher knows something that the student does not: otherwise there is nothing to distil."""
    if "knowledge" in case.finished:
        found, evidence = against(*(values(case, name)["validation"] for name in ("student", "teacher")))
        better = found.low > 0
    else:
        best, facts = _as_trained(case)
        better = best > facts["validation_student"]
        evidence = f"validation ndcg@10 {facts['validation_student']:.4f} → {best:.4f}"
    if better:
        return passed(evidence)
    return warned(
        evidence,
        "what the teacher adds to the student it is built on cannot be told from nothing: titles that say little about "
        "taste, a language model that was hardly trained, or a student that already knows",
        "Distilling it costs time and can bring noise only. Give it more to read (backbone.text), a stronger language "
        "model, or more steps; engine show of the teacher names what text alone reaches.",
    )


def validation_and_test_agree(case: Case) -> Outcome:
    """What is chosen on validation rows holds on test rows."""
    told, worst = [], 0.0
    for model in case.config.evaluate.models:
        try:
            found = values(case, model)
        except NotThere:
            continue
        if len(found) < 2 or model == "popularity":
            continue
        first, second = (found[split].ndcg for split in ("validation", "test"))
        a, b = float(first.mean()), float(second.mean())
        told.append(f"{model} {a:.4f} and {b:.4f}")
        error = float(np.sqrt(first.var() / len(first) + second.var() / len(second)))
        if abs(a - b) > ERRORS * error:
            worst = max(worst, abs(a - b) / max(a, b))
    if not told:
        raise NotThere("no model of this experiment is trained yet")
    evidence = "ndcg@10 on validation and test: " + "; ".join(told)
    if worst <= APART:
        return passed(evidence)
    return (failed if worst > FAR_APART else warned)(
        evidence,
        "the two splits are of different kinds of rows, or one of them was seen in training",
        "engine doctor --only no-leak looks at the split; choose another data.split if rows are too few.",
    )


def padding_is_never_ranked(case: Case) -> Outcome:
    """Column 0 of every model's scores is minus infinity, and no list of best items holds the padding."""
    wrong, seen = [], []
    for model in case.config.evaluate.models:
        try:
            scorers = _scorers(case, model)
        except NotThere:
            continue
        for split, score in scorers.items():
            some = slice(0, min(32, len(case.rows[split]), cut.ROWS))
            scores = score(some)
            best = scores.topk(min(10, scores.shape[1] - 1), dim=1).indices
            if (scores[:, ids.PADDING] != -torch.inf).any() or (best == ids.PADDING).any():
                wrong.append(f"{model} gives the padding {float(scores[:, ids.PADDING].max()):.3g} on {split} rows")
        seen += [model] if scorers else []
    if not seen:
        raise NotThere("no model of this experiment can be ranked yet")
    return judged(
        not wrong,
        "; ".join(wrong) or f"minus infinity in column 0: {', '.join(seen)}",
        "the padding's column takes part in the ranking and pushes every target down",
        "Scores have n + 1 columns; engine.metrics.ranking.score_items sets column 0 to minus infinity.",
    )


def _scorers(case: Case, model: str) -> dict[str, Scorer]:
    """The model's scores of the data's held-out rows, by split."""

    def make() -> dict[str, Scorer]:
        stage = MODELS[model].stage
        inputs = {"data": case.run_of("data").name}
        splits, items = case.rows, case.items
        if stage != "data":
            inputs[stage] = case.run_of(stage).name
            if stage == "knowledge" and stage not in case.finished:  # it answers the rows of the cut
                splits = {split: cut.rows(rows, cut.ROWS) for split, rows in splits.items()}
        run = case.scratch_run("evaluate", inputs, f"ranks-{model}")
        found = models([model], run, splits, items, case.device)
        return found[0].scorers if found else {}

    scorers: dict[str, Scorer] = case.once(f"scorers of {model}", make)
    return scorers


@torch.no_grad()
def _ranked(score: Scorer, rows: Rows, device: str) -> Ranked:
    rows = cut.rows(rows, ROWS)
    targets, *seen = (
        torch.from_numpy(part.astype(np.int64)).to(device) for part in (rows.targets, rows.items, rows.start, rows.stop)
    )
    ranks = []
    for block in ranking.blocks(len(rows), int(score(slice(0, 1)).shape[1]), device):
        pairs = ranking.history_pairs((seen[0], seen[1], seen[2]), block)
        ranks.append(ranking.target_ranks(score(block), targets[block], pairs).cpu())
    whole = torch.cat(ranks)
    return Ranked(whole.numpy(), ranking.ndcg(whole, 10).numpy())


def _as_trained(case: Case) -> tuple[float, dict[str, float]]:
    """What the teacher's own run measured on its validation rows: its best, and what that stands beside."""
    summary = Summary.read(Path(case.trained("teacher")))
    facts = summary.facts if summary else {}
    best = facts.get("best", {}).get("val_ndcg@10")
    if best is None or "validation_popularity" not in facts:
        raise NotThere("this teacher ranks candidates only: engine run knowledge asks it about the catalogue")
    return float(best), {name: float(value) for name, value in facts.items() if name.startswith("validation_")}


def _maker(model: str) -> str:
    return {"teacher": "teacher", "distilled": "distill"}.get(model, model)
