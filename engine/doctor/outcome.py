"""What a check finds: a verdict with its evidence, and for anything but a pass its likely cause and remedy."""

from dataclasses import dataclass

PASS, WARN, FAIL, SKIP = "pass", "warn", "fail", "skip"


@dataclass(frozen=True)
class Outcome:
    """``evidence`` is what was seen, in figures or titles; ``cause`` and ``remedy`` are empty for a pass."""

    verdict: str  # pass, warn, fail, skip
    evidence: str
    cause: str = ""
    remedy: str = ""


class NotThere(Exception):
    """What a check needs is not made yet, or cannot be made within the doctor's time: the check is skipped."""


def passed(evidence: str) -> Outcome:
    return Outcome(PASS, evidence)


def failed(evidence: str, cause: str, remedy: str) -> Outcome:
    return Outcome(FAIL, evidence, cause, remedy)


def warned(evidence: str, cause: str, remedy: str) -> Outcome:
    return Outcome(WARN, evidence, cause, remedy)


def judged(sound: bool, evidence: str, cause: str, remedy: str) -> Outcome:
    """A pass or a fail."""
    return passed(evidence) if sound else failed(evidence, cause, remedy)
