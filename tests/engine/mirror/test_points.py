from pathlib import Path

import pytest

from engine.jobs.store import Store
from engine.mirror.points import HistogramPoint, Point, RewindPoint, ScalarPoint, Translator, settled
from engine.runs.reader import events, history
from engine.runs.run import Run
from tests.engine.mirror.conftest import COUNTS, first, second
from tests.fixtures.event_runs import attempt, new_run


def points(folder: Path) -> list[Point]:
    translator = Translator()
    return [point for event in events(folder) for point in translator.feed(event)]


def curve(found: list[Point], tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in found if isinstance(point, ScalarPoint) and point.tag == tag]


def test_every_number_of_a_step_is_a_point_under_its_groups_name(finished: Path) -> None:
    found = points(finished)
    assert dict(curve(found, "train/loss")) == pytest.approx({step: 1 / step for step in range(1, 11)})
    assert curve(found, "validation/val_ndcg@10") == [(5, 0.05), (10, 0.1)]
    assert curve(found, "gradient/total") == [(step, 2.0) for step in range(1, 11)]
    assert curve(found, "gradient/embedding") == [(step, 1.0) for step in range(1, 11)]
    assert curve(found, "gradient/blocks") == []  # it had none
    assert curve(found, "update/blocks") == [(step, 0.5) for step in range(1, 11)]
    assert curve(found, "gate/q_proj/load e1") == [(10, 0.4)]
    assert curve(found, "gate/q_proj/entropy") == [(10, 0.67)]


def test_a_gates_weights_are_a_histogram_for_each_expert(finished: Path) -> None:
    found = [point for point in points(finished) if isinstance(point, HistogramPoint)]
    assert [(point.tag, point.step) for point in found] == [("gate/q_proj/e0", 10), ("gate/q_proj/e1", 10)]
    for point, counts in zip(found, COUNTS, strict=True):
        assert point.counts == pytest.approx(counts, rel=0.01)


def anew(run: Run) -> None:
    run.scalars(1, {"loss": 5.0})


@pytest.mark.parametrize("again", [second, anew])
def test_settled_points_are_the_history_of_all_attempts(store: Store, again: object) -> None:
    folder = new_run(store)
    attempt(folder, first, ends=False)
    attempt(folder, again, 2)  # type: ignore[arg-type]
    found = settled(points(folder))
    known = history(folder)
    for name in ("loss", "lr"):
        series = known.series[name]
        assert curve(found, f"train/{name}") == list(zip(series.steps, series.values, strict=True))
    norms = known.gradients["embedding"]
    assert curve(found, "gradient/embedding") == list(zip(norms.steps, norms.values, strict=True))
    (rewind,) = [point for point in found if isinstance(point, RewindPoint)]
    assert rewind.step == (7 if again is second else 0)


def test_a_first_attempt_rewinds_nothing(finished: Path) -> None:
    assert not [point for point in points(finished) if isinstance(point, RewindPoint)]
