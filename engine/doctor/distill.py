"""Checks of the distilled student: it is trained on the rankings of its own rows, and it changes for the better."""

import torch
from torch import Tensor

from engine.data.sequences import Sequences
from engine.distill.teacher_targets import NO_TARGET, TeacherTargets
from engine.doctor.case import Case
from engine.doctor.check import WARN, Outcome, check, judged
from engine.doctor.quality import compared, values
from engine.knowledge.rankings import Rankings
from engine.stages import LAST_POSITION, RANKINGS, SEQUENCES

BATCHES = 4


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
    "distilled-differs",
    "distill",
    detects="a distilled student that equals the baseline",
    cause="the teacher's weight in the loss is zero, or the baseline's own file is ranked twice",
    remedy="engine config distill: raise injection.weight, ranking.weight, kl.weight or last_position above 0.",
)
def distilled_differs(case: Case) -> Outcome:
    """The distilled student ranks differently from the baseline."""
    case.trained("distill"), case.trained("student")
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
    case.trained("distill"), case.trained("student")
    difference, evidence = compared(*(values(case, name)["validation"] for name in ("student", "distilled")))
    return judged(difference.high >= 0, evidence, WARN)
