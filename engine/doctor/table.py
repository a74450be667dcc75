"""The table of checks, in the order in which they run, and their execution.

To add a check: a function ``Case -> Outcome`` with ``@check(...)`` in the file of what it examines, its row here, and a
test that plants its fault.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.doctor import (
    backbone,
    candidates,
    data,
    distill,
    evaluations,
    knowledge,
    learning,
    modes,
    quality,
    reading,
    student,
    targets,
    teacher,
    twins,
)
from engine.doctor.case import DEFECTS, Case
from engine.doctor.check import FAIL, SKIP, WARN, Check, Outcome, Unavailable
from engine.errors import UserError
from engine.stages import STAGES

_DECLARED = (
    *data.first_batches,
    *data.no_leak,
    *targets.target_not_in_history,
    *targets.test_order,
    *data.ids_fit,
    *data.titles,
    *twins.equal_histories,
    *backbone.text_vectors_fit,
    *modes.evaluation_mode,
    *modes.positions,
    *student.padding_is_ignored,
    *student.causal_mask,
    *teacher.prompt_titles,
    *teacher.prompt_slots,
    *reading.prompt_order,
    *reading.reads_no_later_items,
    *reading.teacher_positions,
    *teacher.gate_affects_output,
    *teacher.gate_collapse,
    *teacher.gate_per_user,
    *teacher.frozen_weights,
    *learning.dry_run,
    *learning.initial_loss,
    *learning.overfits,
    *learning.gradients,
    *learning.learning_rate,
    *learning.reported_health,
    *learning.use_of_devices,
    *quality.beats_popularity,
    *quality.teacher_beats_student,
    *quality.language_model_pays,
    *candidates.candidate_controls,
    *knowledge.rankings_match_rows,
    *knowledge.ranking_ids,
    *knowledge.rankings_reproducible,
    *knowledge.last_position_reproducible,
    *knowledge.popularity_from_training,
    *distill.targets_match_positions,
    *distill.propensities_from_training,
    *distill.distilled_differs,
    *distill.distilled_not_worse,
    *evaluations.ranks_reproducible,
    *evaluations.metrics_match_ranks,
    *quality.padding_never_ranked,
    *quality.above_untrained,
    *quality.validation_and_test_agree,
)
CHECKS: tuple[Check, ...] = tuple(check for stage in STAGES for check in _DECLARED if check.stage == stage)


@dataclass(frozen=True)
class CheckResult:
    """A check, its outcome and its duration."""

    check: Check
    outcome: Outcome
    seconds: float


def chosen(stages: Sequence[str], only: Sequence[str]) -> list[Check]:
    """The checks of these stages whose names contain one of the texts ``only``, if any."""
    checks = [check for check in CHECKS if check.stage in stages]
    return [check for check in checks if not only or any(text in check.name for text in only)]


def examine(case: Case, checks: Sequence[Check]) -> Iterator[CheckResult]:
    """Runs the checks in turn. A check that raises an error has found a fault."""
    for check in checks:
        case.progress(check.name)
        begin = time.monotonic()
        try:
            outcome = check.run(case)
            if outcome.verdict in (WARN, FAIL):
                cause, remedy = outcome.cause or check.cause, outcome.remedy or check.remedy
                outcome = replace(outcome, cause=cause, remedy=remedy)
        except Unavailable as reason:
            outcome = Outcome(SKIP, str(reason))
        except UserError as error:
            outcome = Outcome(FAIL, error.cause, error.location, error.remedy)
        except DEFECTS as error:
            outcome = Outcome(
                FAIL,
                f"{type(error).__name__}: {error}",
                "data and code contradict each other, so that the check cannot be carried out",
                f"Look at the checks before it, and run it alone: engine doctor --only {check.name}",
            )
        yield CheckResult(check, outcome, time.monotonic() - begin)


def markdown() -> str:
    """The table of README.md; checks that several stages share are one row."""
    groups: dict[str, list[Check]] = {}
    for check in CHECKS:
        groups.setdefault(check.detects, []).append(check)
    rows = [
        f"| {' '.join(f'`{check.name}`' for check in same)} | {detects} | `{same[0].test}` |"
        for detects, same in groups.items()
    ]
    return "\n".join(["| check | detects | test |", "| --- | --- | --- |", *rows])
