"""What ``engine doctor`` found, in the order of the page."""

from typing import Any

from engine.wire import Examination, ReportedCheck, read

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
    return sorted(checks, key=lambda one: VERDICTS.get(one.verdict, VERDICTS["fail"])[3])
