"""Does the taught student meet the answers about its own rows, and does it become another model for it?"""

import torch
from torch import Tensor

from engine.data.sequences import Sequences
from engine.distill.teacher_targets import NOT_ASKED, TeacherTargets
from engine.doctor.case import Case, made
from engine.doctor.outcome import Outcome, judged, passed, warned
from engine.doctor.quality import against, values
from engine.knowledge.rankings import Rankings
from engine.runs.schema import RunInfo
from engine.stages import LAST_POSITION, RANKINGS, SEQUENCES

BATCHES = 4


def answers_fit(case: Case) -> Outcome:
    """A position is taught by the ranking of its own event, its target or, at an end, what follows it."""
    module = case.learner("distill").module
    inputs = RunInfo.read(case.rehearsal("distill").folder).inputs
    sequences = Sequences.load(made(case.scratch / inputs["data"], SEQUENCES))
    about = (RANKINGS,) if module.last_position is None else (RANKINGS, LAST_POSITION)
    told = {artifact: Rankings.load(made(case.scratch / inputs["knowledge"], artifact)) for artifact in about}
    items, right, positions = torch.from_numpy(sequences.items), [], 0
    for step in range(BATCHES):
        batch = module.sampler(step)
        positions += len(batch.items)
        rows = module.answers.rows(batch)
        at = (rows != NOT_ASKED).nonzero()[:, 0]
        own = _is_told(module.answers, rows[at], told[RANKINGS], batch.events[at])
        right.append(own & (items[batch.events[at].cpu()] == batch.targets[at].cpu()))
        if module.last_position is not None:
            rows = module.last_position.after(batch)
            at = (rows != NOT_ASKED).nonzero()[:, 0]
            own = _is_told(module.last_position, rows[at], told[LAST_POSITION], batch.events[at])
            right.append(own & (items[batch.events[at].cpu() - 1] == batch.items[at].cpu()))
    asked, wrong = sum(len(part) for part in right), sum(int((~part).sum()) for part in right)
    return judged(
        not wrong and asked > 0,
        f"{asked} of {positions} positions are taught, {wrong} by the ranking of another event",
        "knowledge rows and training rows are shifted against each other, or nothing was asked about these rows",
        "Row r of the rankings names its event: look at Answers.rows and Batch.events.",
    )


def _is_told(answers: TeacherTargets, rows: Tensor, told: Rankings, events: Tensor) -> Tensor:  # [R], [R] -> [R] bool
    """Whether the answers of these rows are what was told about these events."""
    found = told.rows == events.cpu()[:, None]  # [R, rows of the cut]
    given, meant = answers.items[rows].cpu(), told.items[found.int().argmax(dim=1)]
    return found.any(dim=1) & (given == meant[:, : given.shape[1]]).all(dim=1)


def differs_from_baseline(case: Case) -> Outcome:
    """The taught student is another model than the baseline: otherwise the knowledge has reached nothing."""
    case.trained("distill"), case.trained("student")
    own, base = values(case, "distilled")["validation"], values(case, "student")["validation"]
    share = float((own.ranks != base.ranks).mean())
    return judged(
        share > 0,
        f"{share:.1%} of validation targets have another rank than with the baseline",
        "the teacher's weight in the loss is zero, or the baseline's own file is ranked twice",
        "engine config distill: raise injection.weight, ranking.weight, kl.weight or last_position above 0.",
    )


def not_worse_than_baseline(case: Case) -> Outcome:
    """Being taught has not made the student worse."""
    case.trained("distill"), case.trained("student")
    found, evidence = against(*(values(case, name)["validation"] for name in ("student", "distilled")))
    if found.high >= 0:
        return passed(evidence)
    return warned(
        evidence,
        "the teacher is worse than the student on these rows, its weight is too large, or its rankings are about "
        "other rows",
        "Compare teacher and student first: engine doctor teacher; then lower distill.kl.weight and "
        "distill.ranking.weight.",
    )
