"""Parses a generated answer: which candidate it names, and the published hit rates."""

from collections.abc import Sequence
from dataclasses import dataclass


def first_line(generated: str) -> str:
    """The answer: the text before the first newline."""
    return generated.strip().split("\n", 1)[0].strip()


def candidate_named(answer: str, candidates: Sequence[str], match: str) -> int | None:
    """Index of the candidate that an answer names; None when it names none or several.

    "published": exactly one entry of the list is contained in the answer (REFERENCE c.7), so a title within another one
    ("Alien", "Aliens") or an empty title makes a right answer invalid. "exact": an equal title comes first.
    """
    text = answer.lower().strip()
    titles = [candidate.lower().strip() for candidate in candidates]
    if match == "exact":
        equal = [k for k, title in enumerate(titles) if title and title == text]
        if equal:
            return equal[0] if len(equal) == 1 else None
        titles = [title or "\0" for title in titles]  # an empty title is contained in everything
    contained = [k for k, title in enumerate(titles) if title in text]
    return contained[0] if len(contained) == 1 else None


@dataclass(frozen=True)
class HitRate:
    """HR@1 among candidates, in both published readings."""

    correct_of_total: float  # LLaRA's HitRatio@1
    correct_of_valid: float  # iLoRA's test_hr
    valid_ratio: float


def hit_rate(named: Sequence[int | None], targets: Sequence[int]) -> HitRate:
    """``named`` as ``candidate_named`` returns them, ``targets`` the indices of the right candidates."""
    valid = [(choice, target) for choice, target in zip(named, targets, strict=True) if choice is not None]
    correct = sum(choice == target for choice, target in valid)
    total = max(1, len(targets))
    return HitRate(correct / total, correct / len(valid) if valid else 0.0, len(valid) / total)
