"""Curves of groups: mean and range over seeds."""

from typing import Any

import pytest

from engine.compare.curves import curves, shared_band
from engine.compare.groups import resolve
from engine.errors import UserError
from engine.runs.reader import MetricSeries


def test_a_band_spans_the_steps_that_all_runs_reached() -> None:
    found = shared_band([MetricSeries([10, 20, 30], [1.0, 2.0, 3.0]), MetricSeries([10, 30, 50], [3.0, 5.0, 9.0])])
    assert found.x.tolist() == [10, 20, 30]
    assert found.mean.tolist() == [2.0, 3.0, 4.0]
    assert (found.low.tolist(), found.high.tolist()) == ([1.0, 2.0, 3.0], [3.0, 4.0, 5.0])


def test_an_evaluation_shows_the_curve_of_the_model_it_ranked(world: Any) -> None:
    a, b = world.evaluate("a", 1, ranks=world.ranks(1)), world.evaluate("b", 1, ranks=world.ranks(2))
    (first, _) = curves(resolve([a, b], world.store), "val_ndcg@10")
    assert first is not None
    assert (first.x.tolist(), first.mean.tolist()) == ([10, 20, 30], [0.1, 0.2, 0.15])


def test_a_metric_that_nobody_reported_is_an_error_that_names_those_that_were(world: Any) -> None:
    a, b = world.student("a", 1), world.student("b", 2)
    with pytest.raises(UserError, match="val_recall@10"):
        curves(resolve([a, b], world.store), "ndgc")
