"""What a check is, how it is declared, and what it returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.doctor.case import Case

PASS, WARN, FAIL, SKIP = "pass", "warn", "fail", "skip"


@dataclass(frozen=True)
class Outcome:
    """A verdict with its evidence: what was observed, in numbers or titles.

    ``cause`` and ``remedy`` are empty for a pass, and where those that the check declares apply.
    """

    verdict: str  # pass, warn, fail, skip
    evidence: str
    cause: str = ""
    remedy: str = ""


class Unavailable(Exception):
    """An input of the check does not exist yet, or cannot be made within the doctor's time: the check is skipped."""


@dataclass(frozen=True)
class Check:
    """One check of one stage."""

    name: str
    stage: str
    detects: str  # the fault
    cause: str  # the likely cause when it fails
    remedy: str
    run: Callable[["Case"], Outcome]
    test: str  # the test file that plants the fault


def check(
    name: str, *stages: str, detects: str, cause: str, remedy: str
) -> Callable[[Callable[..., Outcome]], tuple[Check, ...]]:
    """Makes a function ``case -> Outcome`` a check of a stage; it is run when ``table.py`` lists it.

    A function ``(case, stage) -> Outcome`` becomes a check ``STAGE-name`` of each of several stages.
    """

    def declare(function: Callable[..., Outcome]) -> tuple[Check, ...]:
        test = f"tests/engine/doctor/test_{function.__module__.rpartition('.')[2]}.py"
        if len(stages) == 1:
            return (Check(name, stages[0], detects, cause, remedy, function, test),)
        return tuple(
            Check(
                f"{stage}-{name}",
                stage,
                detects,
                cause,
                remedy.format(stage=stage),
                partial(function, stage=stage),
                test,
            )
            for stage in stages
        )

    return declare


def passed(evidence: str) -> Outcome:
    return Outcome(PASS, evidence)


def failed(evidence: str, cause: str = "", remedy: str = "") -> Outcome:
    return Outcome(FAIL, evidence, cause, remedy)


def judged(sound: bool, evidence: str, otherwise: str = FAIL) -> Outcome:
    return Outcome(PASS if sound else otherwise, evidence)


def without(faults: Sequence[str], evidence: str) -> Outcome:
    """A fail that lists the faults found, or a pass with the evidence when there are none."""
    return failed("; ".join(dict.fromkeys(faults))) if faults else passed(evidence)
