"""What surrounds the steps: learning rate, clipping, averaged weights, the best evaluation and patience."""

import pytest

from engine.runs.run import Run
from tests.fixtures.training import Line, events, train


def test_the_learning_rate_of_a_step_is_the_plans(run: Run) -> None:
    with run:
        train(Line(), run, steps=4, rate=lambda step: 0.5**step)
    assert [event["m"]["lr"] for event in events(run, "s")] == pytest.approx([0.1, 0.05, 0.025, 0.0125])


def test_gradients_are_clipped_after_they_were_measured(run: Run) -> None:
    module = Line()
    with run:
        train(module, run, steps=1, clip=0.5)
    (event,) = events(run, "grad")
    assert (event["total"], event["clip"], event["clipped"]) == (4.0, 0.5, True)
    assert module.w.item() == pytest.approx(1.0 + 0.1 * 0.5)


def test_evaluations_see_the_running_mean_of_weights_and_training_goes_on_with_the_newest(run: Run) -> None:
    module, seen = Line(), list[float]()

    def score() -> float:
        seen.append(module.w.item())
        return 0.0

    with run:
        train(module, run, score, average=0.9)
    mean, value = 1.0, 1.0
    expected = []
    for step in range(1, 13):
        value -= 0.1 * 2 * (value - 3.0)
        decay = min(0.9, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * value
        expected += [mean] if step % 4 == 0 else []
    assert seen == pytest.approx(expected, rel=1e-5)


def test_training_ends_after_patience_evaluations_without_a_new_best(run: Run) -> None:
    scores = iter([0.2, 0.5, 0.5, 0.1])  # an equal value is no new best
    with run:
        state = train(Line(), run, lambda: next(scores), steps=40, patience=2)
    assert (state.step, state.best_step, state.stale) == (16, 8, 2)
    assert [event["best"] for event in events(run, "val")] == [True, True, False, False]


def test_a_plan_may_prefer_lower_values(run: Run) -> None:
    scores = iter([0.2, 0.1, 0.5])
    with run:
        state = train(Line(), run, lambda: next(scores), lower_is_better=True)
    assert (state.best_step, state.best) == (8, {"val_ndcg@10": 0.1})


def test_speed_and_positions_are_counted_from_the_plans_steps(run: Run) -> None:
    with run:
        state = train(Line(), run)
    assert state.positions == 12 * 7
    assert all(event["m"]["positions_per_second"] > 0 for event in events(run, "s"))
