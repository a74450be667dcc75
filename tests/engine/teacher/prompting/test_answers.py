"""Which candidate an answer names."""

import json
import os
from pathlib import Path

import pytest

from engine.teacher.prompting.answers import candidate_named, first_line, hit_rate

GOLDEN = os.environ.get("ENGINE_GOLDEN")


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
def test_the_published_way_to_count() -> None:
    stored = json.loads((Path(GOLDEN or "") / "hr1_metric.json").read_text())
    named = [candidate_named(case["generate"], case["cans"], "published") for case in stored["cases"]]
    targets = [case["cans"].index(case["real"]) for case in stored["cases"]]
    assert [choice is not None for choice in named] == [case["valid"] for case in stored["cases"]]
    correct = [choice == target for choice, target in zip(named, targets, strict=True)]
    assert correct == [case["correct"] for case in stored["cases"]]
    counted = hit_rate(named, targets)
    expected = (stored["metric"], stored["hr1"], stored["valid_ratio"])
    assert (counted.correct_of_total, counted.correct_of_valid, counted.valid_ratio) == pytest.approx(
        expected, abs=1e-9
    )


def test_an_exact_title_wins_over_a_title_contained_in_it() -> None:
    assert candidate_named("Aliens", ["Alien", "Aliens"], "published") is None
    assert candidate_named("Aliens", ["Alien", "Aliens"], "exact") == 1


def test_an_empty_title_does_not_make_a_right_answer_invalid() -> None:
    assert candidate_named("It is Psycho.", ["", "Psycho"], "exact") == 1


def test_two_items_of_one_title_cannot_be_distinguished() -> None:
    assert candidate_named("Kolya", ["Kolya", "Kolya"], "exact") is None


def test_only_the_first_line_counts() -> None:
    assert first_line("\n Psycho \nand then more") == "Psycho"


def test_no_valid_answer_is_zero_and_not_a_division_by_zero() -> None:
    assert hit_rate([None, None], [0, 1]).correct_of_valid == 0.0
    assert hit_rate([], []).correct_of_total == 0.0
