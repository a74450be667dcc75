"""THE TABLE of checks: what each one catches and how that is proven; and how they are carried out.

To add one: a function ``Case -> Outcome`` in the file of what it looks at, a row here, a test that plants its fault.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from engine.doctor import data, distill, knowledge, learning, quality, student, teacher
from engine.doctor.case import ARITHMETIC, Case
from engine.doctor.outcome import FAIL, SKIP, NotThere, Outcome
from engine.errors import UserError

TESTS = "tests/engine/doctor/"


@dataclass(frozen=True)
class Check:
    """One question to an experiment."""

    name: str
    about: str  # the stage it looks at
    catches: str
    proven: str  # the test that plants the fault
    look: Callable[[Case], Outcome]


@dataclass(frozen=True)
class Found:
    """A check and what it found."""

    check: Check
    outcome: Outcome
    seconds: float


def _rows(about: str, file: str, *rows: tuple[str, str, Callable[[Case], Outcome]]) -> list[Check]:
    """Checks about one stage that are proven in one file."""
    return [Check(name, about, catches, TESTS + file, look) for name, catches, look in rows]


def _runs(stage: str) -> list[Check]:
    return _rows(
        stage,
        "test_learning.py",
        (f"{stage}-runs", "a stage that ends in an error", partial(learning.runs, stage=stage)),
    )


def _learning(stage: str) -> list[Check]:
    """What every training stage is asked."""
    return _runs(stage) + _rows(
        stage,
        "test_learning.py",
        (
            f"{stage}-starts-at-chance",
            "initial weights of the wrong size, a target that can be seen",
            partial(learning.starts_at_chance, stage=stage),
        ),
        (
            f"{stage}-overfits",
            "targets apart from their inputs, a loss that does not reach the weights, learning rate 0",
            partial(learning.overfits, stage=stage),
        ),
        (
            f"{stage}-gradients",
            "a detached part, a parameter without gradient or outside of the optimizer",
            partial(learning.gradients_reach, stage=stage),
        ),
        (f"{stage}-learning-rate", "a learning rate of 0 all along", partial(learning.learning_rate, stage=stage)),
        (
            f"{stage}-health",
            "what a finished run's watch still named at its end: NaN, gradients, gates, progress",
            partial(learning.reports_are_sound, stage=stage),
        ),
    )


def _better(stage: str) -> list[Check]:
    return _rows(
        stage,
        "test_quality.py",
        (
            f"{stage}-beats-popularity",
            f"a trained {stage} that knows nothing about users",
            partial(quality.beats_popularity, model=stage),
        ),
    )


CHECKS: tuple[Check, ...] = (
    *_rows(
        "data",
        "test_data.py",
        ("first-batches", "labels shuffled or shifted; shows titles and their targets", data.first_batches),
        ("no-leak", "held-out rows, or their users, in training", data.no_leak),
        ("target-unseen", "a target inside its own history", data.target_unseen),
        ("ids", "ids shifted by one, padding as an item, ids out of range", data.ids_fit),
        ("titles", "items without a title", data.titles),
    ),
    *_rows(
        "student",
        "test_student.py",
        ("padding-is-silent", "item 1 taken for padding, padding that acts", student.padding_is_silent),
        ("future-is-unseen", "a missing causal mask", student.future_is_unseen),
    ),
    *_learning("student"),
    *_better("student"),
    *_learning("backbone"),
    *_rows(
        "teacher",
        "test_teacher.py",
        ("prompts-hold-titles", "prompts without titles, or with other items' titles", teacher.prompts_hold_titles),
        ("prompts-hold-slots", "a slot too few, or another item's vector in it", teacher.prompts_hold_slots),
        ("gate-acts", "expert weights that are computed and not used", teacher.gate_acts),
        ("gate-is-per-user", "one mixture for the whole batch", teacher.gate_is_per_user),
        ("frozen-stays", "a frozen weight of the language model that learns", teacher.frozen_stays),
    ),
    *_learning("teacher"),
    *_better("teacher"),
    *_rows(
        "teacher",
        "test_quality.py",
        ("teacher-beats-student", "a teacher that has nothing to teach", quality.teacher_beats_student),
    ),
    *_runs("knowledge"),
    *_rows(
        "knowledge",
        "test_knowledge.py",
        ("rankings-fit-rows", "rankings shifted against their training rows", knowledge.rows_fit),
        ("rankings-in-our-ids", "ids from 0, the padding or an item twice in a ranking", knowledge.numbering_fits),
        ("asked-again", "rankings that are not this teacher's answers to these rows", knowledge.asked_again),
    ),
    *_learning("distill"),
    *_rows(
        "distill",
        "test_distill.py",
        ("answers-fit-positions", "positions taught by another row's ranking", distill.answers_fit),
        ("distilled-differs", "a taught student that is the baseline", distill.differs_from_baseline),
        ("distilled-not-worse", "a student that teaching made worse", distill.not_worse_than_baseline),
    ),
    *_runs("evaluate"),
    *_rows(
        "evaluate",
        "test_quality.py",
        ("padding-never-ranked", "a padding column that is ranked", quality.padding_is_never_ranked),
        ("validation-and-test-agree", "splits of different kinds of rows", quality.validation_and_test_agree),
    ),
)


def chosen(stages: Sequence[str], only: Sequence[str]) -> list[Check]:
    """The checks about these stages whose names hold one of the words ``only``, if any."""
    about = [check for check in CHECKS if check.about in stages]
    return [check for check in about if not only or any(word in check.name for word in only)]


def examine(case: Case, checks: Sequence[Check]) -> Iterator[Found]:
    """Carries out the checks in turn. A check that ends in an error has found that something is broken."""
    for check in checks:
        case.tell(check.name)
        begin = time.monotonic()
        try:
            outcome = check.look(case)
        except NotThere as reason:
            outcome = Outcome(SKIP, str(reason))
        except UserError as error:
            outcome = Outcome(FAIL, error.cause, error.location, error.remedy)
        except ARITHMETIC as error:
            outcome = Outcome(
                FAIL,
                f"{type(error).__name__}: {error}",
                "data and code contradict each other so much that the check could not be carried out",
                f"Look at the checks before it, and try it alone: engine doctor --only {check.name}",
            )
        yield Found(check, outcome, time.monotonic() - begin)
