"""Items without a training event: no vector of their own, no push from the softmax, and the teacher's share goes on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from engine import config
from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Sequences
from engine.distill.cold_items import TrainedItems, cold_items
from engine.distill.injection import tables
from engine.distill.module import DistillModule
from engine.distill.stage import run as distill
from engine.runs.run import Run
from engine.stages import DISTILLED_MODEL
from engine.student.batches import Batch
from engine.student.cross_entropy import cross_entropy
from engine.student.model import load_student
from engine.student.packed_sequences import dense
from tests.engine.distill.test_module import NOTHING, World, module_of

Settings = Callable[..., DistillSettings]
COLD = [3, 17]


@pytest.fixture
def cold_world(counting_world: World) -> World:
    """The counting world without the events of two items."""
    sequences, rankings, vectors = counting_world
    keep = ~np.isin(sequences.items, COLD)
    user = np.repeat(np.arange(len(sequences)), np.diff(sequences.offsets))[keep]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(sequences)))]).astype(np.int64)
    some = rankings.rows < int(keep.sum())  # of any events: only their items matter here
    return Sequences(sequences.items[keep], offsets, sequences.users), rankings.some(some), vectors


def built(settings: DistillSettings, world: World, **more: Any) -> DistillModule:
    base = module_of(settings, world, **more)
    return DistillModule(
        base.model, settings, base.sampler, base.targets, base.vectors, base.ps, 1, None, cold_items(world[0], 20)
    )


def test_cold_are_the_items_of_no_training_sequence_and_never_the_padding(cold_world: World) -> None:
    assert cold_items(cold_world[0], 20).nonzero()[:, 0].tolist() == COLD


@pytest.mark.parametrize("same_shapes", [False, True])
@pytest.mark.parametrize("loss", ["cross-entropy", "bce", "sampled-softmax"])
def test_nothing_pushes_a_cold_item_down(settings: Settings, cold_world: World, loss: str, same_shapes: bool) -> None:
    chosen = settings(
        injection={"weight": 0.5}, ranking={"weight": 0.0}, kl={"weight": 0.0}, student={"loss": loss, "negatives": 9}
    )
    module = built(chosen, cold_world, same_shapes=same_shapes)
    assert module.injection is not None
    _, table, _ = tables(module.model, module.injection, "inputs")
    added = module.injection()
    torch.testing.assert_close(table[COLD], added[COLD])
    warm = [item for item in range(1, 21) if item not in COLD]
    torch.testing.assert_close(table[warm], (module.model.network.inputs() + added)[warm])
    module.training_step(0, 0)["loss"].backward()
    gradient = module.model.network.inputs().grad
    assert gradient is not None and (gradient[COLD] == 0).all() and (gradient[warm] != 0).any(dim=1).all()
    # The projector learns from the trained items alone: another vector of a cold item changes no gradient.
    before = module.injection.project.weight.grad.clone()  # type: ignore[union-attr]
    module.zero_grad()
    module.injection.vectors[COLD] += 5.0
    module.training_step(0, 0)["loss"].backward()
    torch.testing.assert_close(module.injection.project.weight.grad, before)


def test_the_merged_student_scores_a_cold_item_by_its_projected_vector(settings: Settings, cold_world: World) -> None:
    module = built(settings(injection={"weight": 0.5}), cold_world)
    assert module.injection is not None
    merged, added = module.merged().network.inputs(), module.injection()
    torch.testing.assert_close(merged[COLD], added[COLD])
    assert (merged[0] == module.model.network.inputs()[0]).all()


@pytest.mark.parametrize("changes", [{"injection": {"weight": 0.0}}, {"student": {"model": "gru4rec"}}])
def test_where_no_projected_vector_scores_them_cold_items_are_as_any_other(
    settings: Settings, cold_world: World, changes: dict[str, Any]
) -> None:
    module = built(settings(**NOTHING | {"injection": {"weight": 0.5}} | changes), cold_world)
    module.training_step(0, 0)["loss"].backward()
    scored = module.model.network.outputs()[0].grad
    assert scored is not None and (scored[COLD] != 0).any(dim=1).all()


def test_the_loss_without_cold_items_is_that_of_their_scores_at_minus_infinity() -> None:
    states, table = torch.randn(7, 4).double(), torch.randn(9, 4).double()
    cold = torch.zeros(9, dtype=torch.bool)
    cold[[2, 5]] = True
    targets = torch.tensor([1, 3, 4, 6, 7, 8, 1])
    batch = Batch(targets, targets, targets, dense(1, len(targets), torch.device("cpu")), None, len(targets))
    kept, _, renumbered = TrainedItems(cold).of(table, None, batch)
    scores = (states @ table.T).masked_fill(cold, -torch.inf)
    scores[:, 0] = -torch.inf
    expected = torch.nn.functional.cross_entropy(scores, targets, reduction="sum")
    torch.testing.assert_close(cross_entropy(states, kept, renumbered.targets), expected)


def test_the_share_of_cold_items_in_the_teachers_targets_goes_to_the_true_one() -> None:
    cold = torch.zeros(9, dtype=torch.bool)
    cold[[2, 5]] = True
    ranked, teacher = torch.tensor([[1, 2, 3], [2, 5, 2]]), torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    items, shares = TrainedItems(cold).soft(torch.tensor([7, 8]), ranked, teacher)
    assert items.tolist() == [[1, 2, 3, 7], [2, 5, 2, 8]]
    torch.testing.assert_close(shares, torch.tensor([[0.5, 0.0, 0.2, 0.3], [0.0, 0.0, 0.0, 1.0]]))


def test_a_cold_item_is_found_by_its_vector_after_training(settings: Settings, distill_run: Callable[..., Run]) -> None:
    """Every item but one is trained; the circle's vectors say where that one stands."""
    histories = [[(start + step) % 20 + 1 for step in range(7)] for start in range(20) for _ in range(4)]
    histories = [[item for item in history if item != 9] for history in histories]
    run = distill_run(histories=histories)
    chosen = settings(
        injection={"weight": 1.0},
        ranking={"weight": 0.0},
        kl={"weight": 0.0},
        own_vectors=False,
        student={"epochs": 40, "evaluate_every": 40},
    )
    whole = config.load([])
    whole.distill = chosen
    with run:
        distill(whole, run)
    model = load_student(run.folder / "artifacts" / DISTILLED_MODEL.file)
    with torch.no_grad():
        scores = model.user_vectors(torch.tensor([[6, 7, 8]])) @ model.item_table()[0].T
    assert int((scores[0, 1:] > scores[0, 9]).sum()) < 3
