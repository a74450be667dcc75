"""A teacher that says titles is asked among the candidates that every model ranks."""

import csv
from typing import Any

import pytest

from engine.report.evaluation import GENERATIVE, render
from engine.stages import METRICS_TABLE


def test_its_answers_stand_beside_the_ranking_of_the_same_candidates(generative: Any) -> None:
    with generative.made("evaluate", METRICS_TABLE).open() as file:
        rows = list(csv.DictReader(file))
    told = [row for row in rows if row["valid_ratio"]]
    assert {(row["model"], row["candidates"]) for row in told} == {("teacher", "4")}
    assert {row["split"] for row in told} == {"test", "validation"}
    for row in told:
        right, of_valid, ratio, likeliest = (float(row[name]) for name in GENERATIVE)
        assert right == pytest.approx(of_valid * ratio) and 0 <= ratio <= 1
        assert 0 < likeliest < 0.9  # one of four by a teacher that has learned next to nothing
    assert "in its own words: hr@1" in render(generative.runs / "evaluate")
