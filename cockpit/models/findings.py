"""What ``engine doctor`` found, in the order of the page."""

from collections.abc import Iterable
from typing import Any

from engine.wire import DoctorProgress, Examination, ReportedCheck, read

VERDICTS = {  # verdict -> glyph, word, style, order on the page
    "fail": ("✗", "FAIL", "bad", 0),
    "warn": ("⚠", "WARN", "warn", 1),
    "pass": ("✓", "pass", "ok", 2),
    "skip": ("·", "skip", "dim", 3),
}


def findings(answer: Any) -> list[ReportedCheck] | None:
    """The gravest first; None where ``engine`` printed no examination, because it failed before the first check."""
    try:
        checks = read(Examination, answer).checks
    except ValueError:
        return None
    return by_gravity(checks)


def progress(line: Any) -> DoctorProgress | None:
    """A line that ``engine doctor`` prints while it works."""
    try:
        return read(DoctorProgress, line)
    except ValueError:
        return None


def by_gravity(checks: Iterable[ReportedCheck]) -> list[ReportedCheck]:
    return sorted(checks, key=lambda one: VERDICTS.get(one.verdict, VERDICTS["fail"])[3])
