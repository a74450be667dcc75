"""A student of texts alone: nothing pushes items without a training event down, and the teacher's share goes on."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Sequences
from engine.distill.module import DistillModule
from engine.distill.trained_items import TrainedItems
from engine.student.batches import Batch
from engine.student.cold_items import ColdItems, cold_items
from engine.student.cross_entropy import cross_entropy
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


def built(settings: DistillSettings, world: World, same_shapes: bool = False) -> DistillModule:
    base = module_of(settings, world, same_shapes=same_shapes)
    cold = ColdItems(cold_items(world[0], 20), world[2])
    return DistillModule(base.model, settings, base.sampler, base.targets, base.vectors, base.ps, 1, None, cold)


@pytest.mark.parametrize("same_shapes", [False, True])
@pytest.mark.parametrize("loss", ["cross-entropy", "bce", "sampled-softmax"])
def test_nothing_pushes_a_cold_item_down(settings: Settings, cold_world: World, loss: str, same_shapes: bool) -> None:
    """The projector learns from the trained items alone: another vector of a cold item changes no gradient."""
    student = {"loss": loss, "negatives": 9}
    for own, same in ((False, True), (True, False)):
        chosen = settings(**NOTHING | {"injection": {"weight": 0.5}, "student": student, "own_vectors": own})
        gradients = []
        for moved in (0.0, 5.0):
            module = built(chosen, cold_world, same_shapes=same_shapes)
            assert module.injection is not None
            module.injection.vectors[COLD] += moved
            module.training_step(0, 0)["loss"].backward()
            gradient = module.injection.project.weight.grad
            assert gradient is not None
            gradients.append(gradient)
        assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6) == same


def test_the_merged_student_of_texts_scores_a_cold_item_by_its_projected_vector(
    settings: Settings, cold_world: World
) -> None:
    module = built(settings(injection={"weight": 0.5}, own_vectors=False), cold_world)
    assert module.injection is not None
    torch.testing.assert_close(module.merged().network.inputs()[COLD], module.injection()[COLD])


def test_the_loss_over_trained_items_is_that_of_cold_scores_at_minus_infinity() -> None:
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
