"""What ``engine doctor`` found, check by check."""

from dataclasses import dataclass
from typing import Any

VERDICTS = {  # verdict -> glyph, word, style, order on the page
    "fail": ("✗", "FAIL", "bad", 0),
    "warn": ("⚠", "WARN", "warn", 1),
    "pass": ("✓", "pass", "ok", 2),
    "skip": ("·", "skip", "dim", 3),
}


@dataclass(frozen=True)
class Finding:
    """One check: its verdict, what was seen, the likely cause and what puts it right."""

    check: str
    about: str
    verdict: str
    evidence: str
    cause: str
    remedy: str


def findings(answer: Any) -> list[Finding] | None:
    """The gravest first; None when ``engine`` told of no checks, because it could not look at all."""
    rows = answer.get("checks") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        return None
    names = ("check", "about", "verdict", "evidence", "cause", "remedy")
    found = [Finding(*(str(row.get(name) or "") for name in names)) for row in rows if isinstance(row, dict)]
    return sorted(found, key=lambda one: VERDICTS.get(one.verdict, VERDICTS["fail"])[3])
