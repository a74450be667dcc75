"""Checks of the distilled student: trained on the rankings of its own rows and on training counts, and better for it.

Letters: R rows.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences
from engine.distill.gain import Gain, replaced
from engine.distill.teacher_targets import NO_TARGET, TeacherTargets
from engine.doctor.case import Case
from engine.doctor.check import WARN, Outcome, Unavailable, check, failed, judged, passed
from engine.doctor.quality import compared, values
from engine.knowledge.rankings import Rankings
from engine.runs.schema import Summary
from engine.stages import LAST_POSITION, RANKINGS, SEQUENCES, TEST, VALIDATION

BATCHES = 4
CLOSE = 1e-6  # relative difference of propensities that are the same
HELD_OUT = {"validation": VALIDATION, "test": TEST}


@check(
    "targets-match-positions",
    "distill",
    detects="positions that are trained on the ranking of another row",
    cause="knowledge rows and training rows are shifted against each other, or no ranking is about these rows",
    remedy="Row r of the rankings names its event: see TeacherTargets.rows and Batch.events.",
)
def targets_match_positions(case: Case) -> Outcome:
    """A position is trained on the ranking of its own event: of its target or, at an end, of what follows it."""
    module = case.trainable("distill").module
    items = torch.from_numpy(Sequences.load(case.dry_input_of("distill", SEQUENCES)).items)
    sources = [(module.targets, Rankings.load(case.dry_input_of("distill", RANKINGS)), False)]
    if module.last_position is not None:
        sources.append((module.last_position, Rankings.load(case.dry_input_of("distill", LAST_POSITION)), True))
    right, positions = [], 0
    for step in range(BATCHES):
        batch = module.sampler(step)
        positions += len(batch.items)
        for targets, stored, at_end in sources:
            rows = targets.after(batch) if at_end else targets.rows(batch)
            at = (rows != NO_TARGET).nonzero()[:, 0]
            events = batch.events[at].cpu()
            label = items[events - 1] == batch.items[at].cpu() if at_end else items[events] == batch.targets[at].cpu()
            right.append(label & _same_rankings(targets, rows[at], stored, events))
    count, wrong = sum(len(part) for part in right), sum(int((~part).sum()) for part in right)
    return judged(
        not wrong and count > 0,
        f"{count} of {positions} positions have a teacher ranking, {wrong} that of another event",
    )


def _same_rankings(
    targets: TeacherTargets, rows: Tensor, stored: Rankings, events: Tensor
) -> Tensor:  # [R], [R] -> [R] bool
    """Whether these rows of the targets are the rankings stored for these events."""
    found = stored.rows == events[:, None]  # [R, rows of the subset]
    used, meant = targets.items[rows].cpu(), stored.items[found.int().argmax(dim=1)]
    return found.any(dim=1) & (used == meant[:, : used.shape[1]]).all(dim=1)


@check(
    "propensities-from-training",
    "distill",
    detects="propensities of the robust loss that count held-out rows, or other targets than those of training",
    cause="propensities count other events than the training targets",
    remedy="Count the training sequences without each user's first event, which is never a target.",
)
def propensities_from_training(case: Case) -> Outcome:
    """An item's propensity follows from how often it is a training target."""
    module = case.trainable("distill").module
    sequences = Sequences.load(case.dry_input_of("distill", SEQUENCES))
    first = np.zeros(len(sequences.items), dtype=bool)
    first[sequences.offsets[:-1]] = True
    power, given = case.config.distill.dro.power, module.ps.double().cpu().numpy()
    training = np.bincount(sequences.items[~first], minlength=len(given))
    if _close(given, training, power):
        return passed(f"{int(training.sum()):,} training targets of {len(given) - 1:,} items, power {power:g}")
    held = {split: Rows.load(case.dry_input_of("distill", artifact)) for split, artifact in HELD_OUT.items()}
    counts = {split: np.bincount(rows.targets, minlength=len(given)) for split, rows in held.items()}
    everything = np.bincount(sequences.items, minlength=len(given))
    also = {
        "targets of validation rows are counted too": training + counts["validation"],
        "targets of test rows are counted too": training + counts["test"],
        "targets of validation and test rows are counted too": training + sum(counts.values()),
        "first events, which are never targets, are counted too": everything,
        "first events and held-out targets are counted too": everything + sum(counts.values()),
    }
    why = next((words for words, count in also.items() if _close(given, count, power)), "")
    item = int(np.abs(given - _propensities(training, power)).argmax())
    return failed(
        f"{case.titled([item])} has {given[item]:.3g}; from {training[item]} of {training.sum()} training targets is "
        f"{_propensities(training, power)[item]:.3g}" + (f"; {why}" if why else "")
    )


def _propensities(counts: NDArray[np.int64], power: float) -> NDArray[np.float64]:
    """((n_i + 1) / sum_j (n_j + 1))^power, the padding's 0."""
    more = counts.astype(np.float64) + 1
    more[PADDING] = 0
    found: NDArray[np.float64] = np.where(more > 0, (more / more.sum()) ** power, 0.0)
    return found


def _close(given: NDArray[np.float64], counts: NDArray[np.int64], power: float) -> bool:
    return bool(np.allclose(given, _propensities(counts, power), rtol=CLOSE, atol=0))


@check(
    "distilled-differs",
    "distill",
    detects="a distilled student that equals the baseline",
    cause="the teacher's weight in the loss is zero, or the baseline's own file is ranked twice",
    remedy="engine config distill: raise injection.weight, ranking.weight, kl.weight or last_position above 0.",
)
def distilled_differs(case: Case) -> Outcome:
    """The distilled student ranks differently from the baseline."""
    if (gain := _replaced(case)) is not None:
        return Outcome(
            WARN,
            f"the baseline student was written in place of the distilled one: {gain}",
            "distill.choose=better keeps the baseline unless the interval of the gain lies above zero: nothing was "
            "learned from this knowledge, or the rows are too few to show it",
            "engine run distill distill.choose=distilled writes the distilled student anyway.",
        )
    own, base = values(case, "distilled")["validation"], values(case, "student")["validation"]
    share = float((own.ranks != base.ranks).mean())
    return judged(share > 0, f"{share:.1%} of validation targets have another rank than with the baseline")


@check(
    "distilled-not-worse",
    "distill",
    detects="a student that distillation made worse",
    cause="the teacher is worse than the student on these rows, its weight is too large, or its rankings are about "
    "other rows",
    remedy="Compare teacher and student first: engine doctor teacher; then lower distill.kl.weight and "
    "distill.ranking.weight.",
)
def distilled_not_worse(case: Case) -> Outcome:
    """The distilled student is not significantly worse than the baseline."""
    if _replaced(case) is not None:
        raise Unavailable("the baseline student was written in place of the distilled one")
    difference, evidence = compared(*(values(case, name)["validation"] for name in ("student", "distilled")))
    return judged(difference.high >= 0, evidence, WARN)


def _replaced(case: Case) -> Gain | None:
    """The gain for which the baseline was written; Unavailable before both students are trained."""
    case.trained("student")
    summary = Summary.read(case.trained("distill"))
    return replaced(summary.facts) if summary else None
