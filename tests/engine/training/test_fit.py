"""Training of anything: what is reported, what is kept, and what ends it."""

import json
from typing import Any

import pytest
import torch

from engine import config
from engine.errors import UserError
from engine.metrics.selection import HALVES
from engine.runs.run import Run, Stopped
from engine.runs.schema import SUMMARY
from engine.stages import TRAIN_TOKENS
from engine.training import checkpoint, fit
from engine.training.plan import TOKENS
from tests.fixtures.training import Line, events, plan, train


def stopped_after_an_evaluation(module: Line, run: Run) -> None:
    """Train until the first evaluation, where a person's stop is waiting; it is not asked for again."""
    (run.folder / "control").mkdir(exist_ok=True)
    stop = run.folder / "control" / "stop-after-evaluation"
    stop.touch()
    with pytest.raises(Stopped), run:
        train(module, run)
    stop.unlink()


def test_a_group_without_gradient_and_one_with_a_zero_gradient_are_reported_apart(run: Run) -> None:
    with run:
        train(Line(), run)
    first = events(run, "grad")[0]
    assert first["g"] == [4.0, None, 0.0]
    assert first["u"][0] == pytest.approx(0.4 / 1.4, rel=1e-3) and first["u"][1:] == [0.0, 0.0]


def test_what_a_step_returns_beside_its_loss_is_reported_too(run: Run) -> None:
    with run:
        train(Line(), run)
    first = events(run, "s")[0]["m"]
    assert (first["loss"], first["distance"], first["lr"]) == (4.0, 2.0, pytest.approx(0.1))


def test_the_weights_of_the_best_evaluation_are_kept(run: Run) -> None:
    module, scores, seen = Line(), iter([0.1, 0.9, 0.3]), list[float]()

    def score() -> float:
        seen.append(module.w.item())
        return next(scores)

    with run:
        state = train(module, run, score)
    assert (state.best_step, state.best, state.step) == (8, {"val_ndcg@10": 0.9}, 12)
    assert module.w.item() == seen[1] != seen[2]


def test_frozen_weights_are_not_written_into_checkpoints(run: Run) -> None:
    with run:
        train(Line(), run)
    snapshot = checkpoint.newest(run)
    assert snapshot is not None and set(snapshot.model) == {"w", "unseen", "nothing"}
    assert len(list(run.checkpoints.glob("step-*"))) == checkpoint.KEPT


def test_a_stop_after_the_evaluation_waits_for_it(run: Run) -> None:
    stopped_after_an_evaluation(Line(), run)
    snapshot = checkpoint.newest(run)
    assert snapshot is not None and snapshot.state.step == 4


def test_a_resumed_training_does_the_missing_steps_and_no_other(run: Run) -> None:
    stopped_after_an_evaluation(Line(), run)
    module, again = Line(), Run(run.folder)
    with again:
        train(module, again)
    assert module.steps == list(range(4, 12))


class Reader(Line):
    """Step k reads a prompt of 100 + k tokens."""

    def training_step(self, step: int, index: int) -> dict[str, Any]:
        return super().training_step(step, index) | {TOKENS: 100 + step}


def test_tokens_of_all_steps_are_noted_also_after_a_stop_and_are_no_curve(run: Run) -> None:
    stopped_after_an_evaluation(Reader(), run)
    again = Run(run.folder)
    with again:
        train(Reader(), again)
    assert json.loads((run.folder / SUMMARY).read_text())["facts"][TRAIN_TOKENS] == 12 * 100 + 66
    assert TOKENS not in events(run, "s")[0]["m"]


def test_a_parameter_outside_of_every_group_is_refused(run: Run) -> None:
    module = Line()
    with pytest.raises(ValueError, match="exactly one reported group"):
        fit.fit(
            module, plan(), config.load([]).trainer, run, groups={"seen": [module.w]},
            evaluate=lambda alive: {}, positions=lambda step: 1,
        )  # fmt: skip


def test_a_loss_that_is_not_a_number_ends_training_with_the_likely_cause(run: Run) -> None:
    with (
        pytest.raises(UserError, match=r"(?s)is not a finite number at step 1 \(\w+.*\): training.*learning rate"),
        run,
    ):
        train(Line(target=float("nan")), run)
    (event,) = events(run, "health")
    assert (event["code"], event["level"]) == ("nan_loss", "error")


def test_a_missing_gpu_is_said_with_the_remedy() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match=r"(?s)no GPU.*trainer=cpu"):
        fit.device(config.load(["trainer=gpu"]).trainer)


def test_the_optimism_of_the_evaluation_that_was_kept_is_noted_and_survives_a_stop(run: Run) -> None:
    halves = iter([(0.1, 0.3), (0.5, 0.2), (0.2, 0.6)])
    (run.folder / "control").mkdir(exist_ok=True)
    (run.folder / "control" / "stop-after-evaluation").touch()

    def train_on(run: Run) -> None:
        module = Line()

        def evaluate(_: object) -> dict[str, float]:
            one, other = next(halves)
            return {"val_ndcg@10": (one + other) / 2, HALVES[0]: one, HALVES[1]: other}

        trainer = config.load(["trainer=cpu"]).trainer
        fit.fit(module, plan(), trainer, run, groups=module.groups(), evaluate=evaluate, positions=lambda step: 7)

    with pytest.raises(Stopped), run:
        train_on(run)
    (run.folder / "control" / "stop-after-evaluation").unlink()
    with Run(run.folder) as again:
        train_on(again)
    facts = json.loads((run.folder / SUMMARY).read_text())["facts"]
    assert facts["best"] == {"val_ndcg@10": pytest.approx(0.4)}  # the halves are no metrics
    # The first half chooses the second evaluation (.5, judged .2), the second half the third (.6, judged .2).
    assert facts["best_optimism"] == pytest.approx((0.3 + 0.4) / 2)
    assert all(HALVES[0] not in event["m"] for event in events(run, "val"))


def test_a_training_whose_evaluations_have_no_halves_notes_no_optimism(run: Run) -> None:
    with run:
        train(Line(), run)
    assert "best_optimism" not in json.loads((run.folder / SUMMARY).read_text())["facts"]


def test_without_anything_that_judges_the_last_weights_are_kept(run: Run) -> None:
    module, means = Line(), list[float]()
    mean, w = 1.0, 1.0
    for step in range(1, 13):
        w -= 0.1 * 2 * (w - 3.0)
        share = 1 - min(0.5, (1 + step) / (10 + step))
        mean += share * (w - mean)
        means.append(mean)
    with run:
        state = fit.fit(
            module, plan(average=0.5), config.load(["trainer=cpu"]).trainer, run,
            groups=module.groups(), evaluate=None, positions=lambda step: 7,
        )  # fmt: skip
    assert (state.best_step, state.best, state.step) == (12, {}, 12) and events(run, "val") == []
    assert module.w.item() == pytest.approx(means[-1]) and means[-1] != pytest.approx(w, abs=1e-3)
