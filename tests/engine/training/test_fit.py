"""Training of anything: what is reported, what is kept, and what ends it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from engine import config
from engine.errors import UserError
from engine.jobs.store import Store
from engine.runs.run import Run, Stopped
from engine.runs.schema import RunInfo, new_id
from engine.training import checkpoint, fit
from engine.training.schedule import schedule


class Line(pl.LightningModule):
    """y = w x, beside a weight that the loss never sees, one that it sees times zero, and a frozen one."""

    def __init__(self, target: float = 3.0) -> None:
        super().__init__()
        self.w, self.unseen, self.nothing = (nn.Parameter(torch.ones(1)) for _ in range(3))
        self.frozen = nn.Parameter(torch.ones(5), requires_grad=False)
        self.target, self.steps = target, list[int]()

    def training_step(self, step: int, index: int) -> dict[str, Tensor]:
        self.steps.append(step)
        error = (self.w - self.target + 0.0 * self.nothing).square().sum()
        return {"loss": error, "distance": error.detach().sqrt()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.w, self.unseen, self.nothing], lr=0.1)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"seen": [self.w], "empty": [], "unseen": [self.unseen], "nothing": [self.nothing]}


def plan(**changes: Any) -> fit.TrainingPlan:
    given: dict[str, Any] = {
        "steps": 12, "per_epoch": 4, "evaluate_every": 4, "patience": 0, "metric": "val_ndcg@10",
        "rate": schedule("constant", 0, 12),
    } | changes  # fmt: skip
    return fit.TrainingPlan(**given)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    info = RunInfo(id=new_id("student"), stage="student", experiment="test", seed=1, fingerprint="f")
    return Run(Store(tmp_path / "runs").create(info, "seed: 1\n"))


def train(module: Line, run: Run, values: Callable[[], float] | None = None, **changes: Any) -> checkpoint.TrainState:
    trainer = config.load(["trainer=cpu", "trainer.report_every=1"]).trainer
    score = values or (lambda: -abs(module.w.item() - module.target))
    return fit.fit(
        module, plan(**changes), trainer, run, groups=module.groups(),
        evaluate=lambda alive: {"val_ndcg@10": score()}, positions=lambda step: 7,
    )  # fmt: skip


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (run.folder / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["k"] == kind]


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


def test_gradients_are_clipped_after_they_were_measured(run: Run) -> None:
    module = Line()
    with run:
        train(module, run, steps=1, clip=0.5)
    (event,) = events(run, "grad")
    assert (event["total"], event["clip"], event["clipped"]) == (4.0, 0.5, True)
    assert module.w.item() == pytest.approx(1.0 + 0.1 * 0.5)


def test_the_weights_of_the_best_evaluation_are_kept(run: Run) -> None:
    module, scores, seen = Line(), iter([0.1, 0.9, 0.3]), list[float]()

    def score() -> float:
        seen.append(module.w.item())
        return next(scores)

    with run:
        state = train(module, run, score)
    assert (state.best_step, state.best, state.step) == (8, {"val_ndcg@10": 0.9}, 12)
    assert module.w.item() == seen[1] != seen[2]


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


def test_frozen_weights_are_not_written_into_checkpoints(run: Run) -> None:
    with run:
        train(Line(), run)
    snapshot = checkpoint.newest(run)
    assert snapshot is not None and set(snapshot.model) == {"w", "unseen", "nothing"}
    assert len(list(run.checkpoints.glob("step-*"))) == checkpoint.KEPT


def test_a_stop_after_the_evaluation_waits_for_it(run: Run) -> None:
    (run.folder / "control").mkdir(exist_ok=True)
    (run.folder / "control" / "stop-after-evaluation").touch()
    with pytest.raises(Stopped), run:
        train(Line(), run)
    snapshot = checkpoint.newest(run)
    assert snapshot is not None and snapshot.state.step == 4


def test_a_resumed_training_does_the_missing_steps_and_no_other(run: Run) -> None:
    (run.folder / "control").mkdir(exist_ok=True)
    (run.folder / "control" / "stop-after-evaluation").touch()
    with pytest.raises(Stopped), run:
        train(Line(), run)
    (run.folder / "control" / "stop-after-evaluation").unlink()
    module, again = Line(), Run(run.folder)
    with again:
        train(module, again)
    assert module.steps == list(range(4, 12))


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
