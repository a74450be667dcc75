"""Does the taught student meet the answers about its own rows, and does it become another model for it?"""

import torch

from engine.data.sequences import Sequences
from engine.distill.taught import NOT_ASKED
from engine.doctor.case import Case, made
from engine.doctor.outcome import Outcome, judged, passed, warned
from engine.doctor.quality import against, values
from engine.knowledge.rankings import Rankings
from engine.runs.schema import RunInfo
from engine.stages import RANKINGS, SEQUENCES

BATCHES = 4


def answers_fit(case: Case) -> Outcome:
    """A position is taught by the ranking of its own event, and its target is that event."""
    module = case.learner("distill").module
    inputs = RunInfo.read(case.rehearsal("distill").folder).inputs
    rankings = Rankings.load(made(case.scratch / inputs["knowledge"], RANKINGS))
    sequences = Sequences.load(made(case.scratch / inputs["data"], SEQUENCES))
    events = {int(row): at for at, row in enumerate(rankings.rows)}
    wrong = asked = positions = 0
    for step in range(BATCHES):
        batch = module.windows(step)
        rows = module.answers.rows(batch)
        positions += len(rows)
        for event, target, row in zip(batch.events.tolist(), batch.targets.tolist(), rows.tolist(), strict=True):
            if row == NOT_ASKED:
                continue
            asked += 1
            own = events.get(event)
            same = own is not None and torch.equal(
                module.answers.items[row].cpu(), rankings.items[own, : module.answers.items.shape[1]]
            )
            wrong += not same or int(sequences.items[event]) != target
    return judged(
        not wrong and asked > 0,
        f"{asked} of {positions} positions are taught, {wrong} by the ranking of another event",
        "knowledge rows and training rows are shifted against each other, or nothing was asked about these rows",
        "Row r of the rankings names its event: look at Answers.rows and Batch.events.",
    )


def differs_from_baseline(case: Case) -> Outcome:
    """The taught student is another model than the baseline: otherwise the knowledge has reached nothing."""
    case.trained("distill"), case.trained("student")
    own, base = values(case, "distilled")["validation"], values(case, "student")["validation"]
    share = float((own.ranks != base.ranks).mean())
    return judged(
        share > 0,
        f"{share:.1%} of validation targets have another rank than with the baseline",
        "the teacher's weight in the loss is zero, or the baseline's own file is ranked twice",
        "engine config distill shows injection.weight, ranking.weight and kl.weight; one of them has to be above 0.",
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
