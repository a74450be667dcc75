"""Which settings matter, by Optuna's evaluator."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.experiments.importance import LEAST, importances

DRAW = random.Random(3)
POINTS = [({"rate": DRAW.uniform(1e-4, 1e-2), "kind": DRAW.choice("ab")}, 0.0) for _ in range(30)]


@pytest.mark.parametrize("goal", ["max", "min"])
def test_the_setting_that_decides_has_the_largest_share(goal: str) -> None:
    found = importances([(settings, math.log(settings["rate"])) for settings, _ in POINTS], goal)
    assert list(found) == ["rate", "kind"] and found["rate"] > 0.8
    found = importances([(settings, float(settings["kind"] == "a")) for settings, _ in POINTS], goal)
    assert next(iter(found)) == "kind"


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([True, False, None]), st.floats(0, 1)), max_size=12))
def test_shares_are_those_of_a_whole_or_there_are_none(points: list[tuple[int, bool | None, float]]) -> None:
    found = importances([({"a": a, "b": b}, value) for a, b, value in points], "max")
    assert found == {} or (math.isclose(sum(found.values()), 1.0) and set(found) == {"a", "b"})


@pytest.mark.parametrize(
    "values", [[0.1] * (LEAST - 1), [0.1] * 9, [math.nan] * 9, [0.1, 0.2, 0.3, math.nan, math.inf]]
)
def test_few_points_or_equal_ones_say_nothing(values: list[float]) -> None:
    assert importances([({"a": index}, value) for index, value in enumerate(values)], "max") == {}


def test_the_answer_is_the_same_every_time() -> None:
    points = [(settings, settings["rate"]) for settings, _ in POINTS]
    assert importances(points, "max") == importances(points, "max")


def test_equal_shares_are_in_the_order_of_the_settings() -> None:
    points = [({"b": b, "a": a}, a + b) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    assert list(importances(points, "max")) == ["b", "a"]


@pytest.mark.parametrize(("goal", "first"), [("max", "high"), ("min", "low")])
def test_the_setting_of_the_best_values_counts_by_the_goal(goal: str, first: str) -> None:
    draw = random.Random(5)
    points = [{"high": draw.random(), "low": draw.random()} for _ in range(60)]
    values = [1 + one["high"] if one["high"] > 0.8 else -1 - one["low"] if one["low"] > 0.8 else 0.0 for one in points]
    assert next(iter(importances(list(zip(points, values, strict=True)), goal))) == first
