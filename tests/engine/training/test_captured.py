"""Chunks of captured steps: where they end, what they read, and what ends them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine import config
from engine.errors import UserError
from engine.runs.run import Run
from engine.training import fit
from engine.training.captured import LONGEST, Chunks
from engine.training.checkpoint import TrainState
from engine.training.fixed_step import FixedStep
from engine.training.plan import TrainingPlan, is_reported
from engine.training.schedule import schedule
from tests.fixtures.training import events, plan


class Slope(FixedStep):
    """The loss is g w + c with g and c that each step brings along: w moves by the learning rate times g."""

    def __init__(self, gradients: list[float], constants: list[float] | None = None) -> None:
        super().__init__()
        self.w, self.gradients, self.generators = nn.Parameter(torch.zeros(1)), gradients, []
        self.constants = constants or [0.0] * len(gradients)
        self.reported = list[bool]()

    def obstacle(self) -> str | None:
        return None

    def start(self, step: int) -> None:
        pass

    def inputs(self, step: int) -> tuple[Tensor, ...]:
        return torch.tensor([self.gradients[step]]), torch.tensor(self.constants[step])

    def step(self, inputs: tuple[Tensor, ...], reported: bool) -> dict[str, Tensor]:
        self.reported.append(reported)
        return {"loss": (self.w * inputs[0]).sum() + inputs[1]} | ({"given": inputs[0].sum()} if reported else {})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.w], lr=0.5)


def train(module: Slope, made: TrainingPlan, run: Run, every: int) -> TrainState:
    trainer = config.load(["trainer=cpu", f"trainer.report_every={every}", "trainer.cuda_graph=true"]).trainer
    with run:
        return fit.fit(
            module, made, trainer, run, groups={"w": [module.w]},
            evaluate=lambda alive: {"val_ndcg@10": module.w.item()}, positions=lambda step: step,
        )  # fmt: skip


@given(
    first=st.integers(0, 300),
    steps=st.integers(1, 300),
    every=st.integers(1, 130),
    evaluate=st.integers(1, 130),
    per_epoch=st.integers(1, 130),
)
def test_chunks_hold_every_step_once_and_end_where_the_host_has_work(
    first: int, steps: int, every: int, evaluate: int, per_epoch: int
) -> None:
    made = replace(plan(), steps=first + steps, evaluate_every=evaluate, per_epoch=per_epoch)
    chunks = list(Chunks(first, made, every))
    assert [step for begin, stop in chunks for step in range(begin, stop)] == list(range(first, first + steps))
    assert all(0 < stop - begin <= LONGEST for begin, stop in chunks)
    ends = {stop for _, stop in chunks}
    for step in range(first + 1, first + steps + 1):
        assert step in ends or not (is_reported(step, every) or step % evaluate == 0 or step % per_epoch == 0)


def test_every_step_reads_its_own_inputs_and_learning_rate(run: Run) -> None:
    """w after k steps is minus the sum of rate times gradient; the last chunk of 12 steps is 9 to 12."""
    gradients = [float(step * step) for step in range(12)]
    made = plan(rate=schedule("linear", 2, 12), steps=12, evaluate_every=4)
    module = Slope(gradients)
    state = train(module, made, run, every=100)
    expected = -0.5 * sum(made.rate(step) * gradient for step, gradient in enumerate(gradients))
    evaluated = [event["m"]["val_ndcg@10"] for event in events(run, "val")]
    assert evaluated[-1] == pytest.approx(expected, rel=1e-6)
    assert (state.step, state.positions) == (12, sum(range(12)))
    assert module.w.item() == pytest.approx(max(evaluated))


def test_reports_are_those_of_their_own_step(run: Run) -> None:
    module = Slope([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    train(module, plan(steps=6, per_epoch=6, evaluate_every=6), run, every=3)
    assert module.reported == [True, False, True, False, False, True]  # the others do not pay for it
    reports = events(run, "s")
    assert [(event["step"], event["m"]["given"]) for event in reports] == [(1, 1.0), (3, 3.0), (6, 6.0)]
    assert [event["g"] for event in events(run, "grad")] == [[1.0], [3.0], [6.0]]
    assert [event["m"]["lr"] for event in reports] == [0.5] * 3


def test_clipping_and_the_running_mean_are_part_of_a_step(run: Run) -> None:
    train(Slope([4.0, -8.0]), plan(steps=2, per_epoch=2, evaluate_every=2, clip=1.0, average=0.9), run, every=1)
    (evaluated,) = events(run, "val")
    first, second = -0.5, 0.0  # each gradient is clipped to 1
    mean = (2 / 11) * 0.0 + (9 / 11) * first
    assert evaluated["m"]["val_ndcg@10"] == pytest.approx((3 / 12) * mean + (9 / 12) * second, rel=1e-5)
    assert [(event["total"], event["clipped"]) for event in events(run, "grad")] == [(4.0, True), (8.0, True)]


def test_a_loss_in_the_middle_of_a_chunk_that_is_not_a_number_ends_training_at_its_end(run: Run) -> None:
    with pytest.raises(UserError, match=r"(?s)the loss is not a finite number at step 4: training"):
        train(Slope([1.0] * 6, [0.0, 0.0, math.inf, 0.0, 0.0, 0.0]), plan(steps=6, evaluate_every=4), run, every=100)


def test_a_gradient_that_is_not_a_number_is_found_where_it_is_reported(run: Run) -> None:
    module = Slope([1.0])
    module.w.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(UserError, match=r"a gradient is not a finite number at step 1"):
        train(module, plan(steps=1), run, every=1)
