"""The loss of a step is the settings' loss over the batch's positions."""

import math
from collections.abc import Callable

import pytest
import torch

from engine.config.settings.student import StudentSettings
from engine.data.sequences import Sequences
from engine.student import losses
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule, base_loss

Settings = Callable[..., StudentSettings]


@pytest.fixture
def module_of(settings: Settings, counting_sequences: Callable[..., Sequences]) -> Callable[..., StudentModule]:
    def make(**changes: object) -> StudentModule:
        chosen = settings(**changes)
        sampler = BatchSampler(counting_sequences(), length=8, batch=16, seed=1, random=False)
        torch.manual_seed(0)
        return StudentModule(SequenceModel(20, chosen), chosen, sampler)

    return make


@pytest.mark.parametrize("loss", ["sampled-softmax", "bce", "gbce"])
def test_negatives_are_a_function_of_seed_and_step(module_of: Callable[..., StudentModule], loss: str) -> None:
    module = module_of(loss=loss, negatives=5, calibration=0.5)
    batch = module.sampler(0)

    def loss_of(made: StudentModule, step: int) -> float:
        made.start(step)
        return made.loss(batch).item()

    first, again, other = (loss_of(module, step) for step in (0, 0, 1))
    assert first == again != other
    assert loss_of(module_of(loss=loss, negatives=5, calibration=0.5, seed=2), 0) != first


def test_the_loss_is_the_mean_over_the_positions_of_the_batch(module_of: Callable[..., StudentModule]) -> None:
    module = module_of()
    batch = module.sampler(0)
    states, (table, bias) = module.model.encode(batch.items, batch.packed), module.model.item_table()
    total = base_loss(module.settings, states, table, bias, batch, module.negatives)
    assert module.loss(batch).item() == pytest.approx(total.item() / batch.positions)
    module.sampler.world = 2  # of two processes each divides by the whole batch; their mean is the loss
    assert module.loss(batch).item() == pytest.approx(2 * total.item() / batch.positions)


def test_a_shared_set_of_negatives_is_drawn_for_the_sampled_softmax(
    module_of: Callable[..., StudentModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    real = losses.uniform_negatives

    def spy(shape: tuple[int, ...], items: int, generator: torch.Generator) -> torch.Tensor:
        shapes.append(shape)
        return real(shape, items, generator)

    monkeypatch.setattr(losses, "uniform_negatives", spy)
    for loss in ("sampled-softmax", "bce"):
        module = module_of(loss=loss, negatives=5)
        batch = module.sampler(0)
        module.loss(batch)
    assert shapes == [(5,), (len(batch.items), 5)]


@pytest.mark.parametrize(("loss", "calibration"), [("bce", None), ("gbce", 0.75)])
def test_scores_of_zero_have_the_loss_of_the_prior(
    module_of: Callable[..., StudentModule], loss: str, calibration: float | None
) -> None:
    module = module_of(loss=loss, negatives=8, calibration=calibration)
    batch = module.sampler(0)
    states, table = torch.zeros(len(batch.items), 16), torch.zeros(21, 16)
    t = calibration or 0.0
    beta, prior = losses.positive_weight(8, 20, t), losses.prior_log_odds(8, 20, t)
    total = base_loss(module.settings, states, table, None, batch, module.negatives).item() / batch.positions
    assert total <= beta * math.log1p(math.exp(-prior)) + 8 * math.log1p(math.exp(prior)) < (beta + 8) * math.log(2)
