"""What every sequence model promises, whatever its network."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import tensor

from engine.config.settings.student import StudentSettings
from engine.data.sequences import Sequences
from engine.errors import RunError
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel, load_student, save_student
from engine.student.module import StudentModule

Settings = Callable[..., StudentSettings]
VARIANTS: dict[str, dict[str, Any]] = {
    "pre": {},
    "post": {"norm": "post", "activation": "gelu", "heads": 2},
    "gated": {"gated": True, "activation": "swiglu", "blocks": 3},
    "no positions": {"positions": "none"},
    "unit length": {"normalise": True, "temperature": 0.05},
    "reference": {"model": "sasrec-reference"},
    "gru4rec": {"model": "gru4rec"},
    "caser": {"model": "caser", "filters": 3, "heights": [2, 3]},
}


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest, settings: Settings) -> SequenceModel:
    torch.manual_seed(0)
    # Large initial vectors: a fault must show in the output.
    return SequenceModel(20, settings(initial=1.0, **VARIANTS[request.param])).eval()


def test_the_future_cannot_change_the_past(model: SequenceModel) -> None:
    torch.testing.assert_close(model(tensor([[1, 2, 3, 4]]))[:, :3], model(tensor([[1, 2, 3, 9]]))[:, :3])


def test_the_past_changes_the_future(model: SequenceModel) -> None:
    assert (model(tensor([[1, 2, 3]]))[:, 2] - model(tensor([[9, 2, 3]]))[:, 2]).abs().max() > 1e-4


@pytest.mark.parametrize("padded", [[0, 0, 0, 5, 6], [5, 6, 0, 0, 0], [0, 5, 0, 6, 0]])
def test_padding_does_not_change_the_answer(model: SequenceModel, padded: list[int]) -> None:
    torch.testing.assert_close(model.user_vectors(tensor([padded])), model.user_vectors(tensor([[5, 6]])))
    states = model(tensor([padded]))
    torch.testing.assert_close(states[0, tensor(padded) != 0], model(tensor([[5, 6]]))[0])
    assert (states[0, tensor(padded) == 0] == 0).all()


def test_each_history_gets_its_own_answer_whatever_stands_beside_it(model: SequenceModel) -> None:
    together = model.user_vectors(tensor([[1, 2, 3], [4, 0, 0], [0, 0, 0], [7, 8, 0]]))
    torch.testing.assert_close(together[0], model.user_vectors(tensor([[1, 2, 3]]))[0])
    torch.testing.assert_close(together[1], model.user_vectors(tensor([[4]]))[0])
    torch.testing.assert_close(together[3], model.user_vectors(tensor([[7, 8]]))[0])
    assert (together[2] == 0).all()


def test_full_grids_give_the_same_loss_and_gradients_as_flat_positions(
    settings: Settings, counting_sequences: Callable[..., Sequences], model: SequenceModel
) -> None:
    def gradients(same_shapes: bool) -> list[torch.Tensor]:
        sampler = BatchSampler(counting_sequences(), length=8, batch=16, seed=1, random=True, same_shapes=same_shapes)
        loss = StudentModule(model, model.settings, sampler).loss(sampler(2))
        return [loss, *torch.autograd.grad(loss, list(model.parameters()))]

    for flat, grid in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(flat, grid, rtol=1e-4, atol=1e-6)


def test_the_score_of_an_item_is_the_product_of_state_and_table(model: SequenceModel) -> None:
    table, bias = model.item_table()
    assert table.shape == (21, model.user_vectors(tensor([[1]])).shape[1])
    assert bias is None or bias.shape == (21,)
    if model.settings.normalise:
        torch.testing.assert_close(table[1:].norm(dim=1), torch.ones(20))


def test_a_history_that_is_too_long_is_refused(model: SequenceModel) -> None:
    with pytest.raises(ValueError, match="max_length=8"):
        model(torch.ones(1, 9, dtype=torch.long))


def train(module: StudentModule, steps: int) -> float:
    optimizer, loss = module.configure_optimizers(), torch.zeros(())
    module.train()
    for step in range(steps):
        loss = module.training_step(step, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    module.eval()
    return loss.item()


LOSSES: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "sampled-softmax": {"negatives": 12},
    "bce": {"negatives": 3},
    "gbce": {"negatives": 3, "calibration": 0.5},
}


@pytest.mark.parametrize("loss", LOSSES)
def test_it_learns_a_rule_a_person_can_see(
    settings: Settings, counting_sequences: Callable[..., Sequences], loss: str
) -> None:
    torch.manual_seed(0)
    chosen = settings(loss=loss, learning_rate=1e-2, hidden=32, batch=32, **LOSSES[loss])
    sampler = BatchSampler(counting_sequences(), length=8, batch=32, seed=1, random=True)
    model = SequenceModel(20, chosen)
    train(StudentModule(model, chosen, sampler), 150)
    table, bias = model.item_table()
    with torch.no_grad():
        scores = model.user_vectors(tensor([[item] for item in range(1, 21)])) @ table.T
    if bias is not None:
        scores = scores + bias
    scores[:, 0] = -torch.inf
    right = scores.argmax(dim=1) == tensor([*range(2, 21), 1])
    assert right.double().mean() >= 0.95  # chance is 0.05


def test_one_batch_can_be_overfitted(settings: Settings, make_sequences: Callable[..., Sequences]) -> None:
    torch.manual_seed(0)
    chosen = settings(learning_rate=1e-2, hidden=32, weight_decay=0.0)
    random = torch.Generator().manual_seed(5)
    sampler = BatchSampler(
        make_sequences(torch.randint(1, 21, (8, 6), generator=random).tolist()),
        length=8,
        batch=8,
        seed=1,
        random=False,
    )
    assert train(StudentModule(SequenceModel(20, chosen), chosen, sampler), 200) < 0.15


def test_before_training_the_loss_is_near_ln_n(
    settings: Settings, counting_sequences: Callable[..., Sequences]
) -> None:
    torch.manual_seed(0)
    sampler = BatchSampler(counting_sequences(items=500), length=8, batch=64, seed=1, random=True)
    module = StudentModule(SequenceModel(500, settings(hidden=64)), settings(hidden=64), sampler)
    assert module.loss(sampler(0)).item() == pytest.approx(math.log(500), abs=0.1)


def test_a_saved_model_answers_as_it_did(model: SequenceModel, tmp_path: Path) -> None:
    save_student(tmp_path / "model.safetensors", model)
    loaded = load_student(tmp_path / "model.safetensors")
    history = tensor([[1, 2, 3, 0], [4, 5, 6, 7]])
    assert torch.equal(loaded.user_vectors(history), model.user_vectors(history))
    assert (loaded.items, loaded.max_length, loaded.training) == (20, 8, False)
    assert loaded.settings == model.settings


def test_a_model_file_cut_short_names_the_file_and_the_remedy(model: SequenceModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_student(path, model)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        RunError, match=r"(?s)model\.safetensors.*not a whole student model.*engine run student --again"
    ):
        load_student(path)


def test_dropout_acts_in_training_and_is_the_same_for_the_same_step(
    settings: Settings, counting_sequences: Callable[..., Sequences]
) -> None:
    chosen = replace(settings(), dropout=0.5, attention_dropout=0.5)
    sampler = BatchSampler(counting_sequences(), length=8, batch=16, seed=1, random=True)
    module = StudentModule(SequenceModel(20, chosen), chosen, sampler)
    module.train()
    first, other, again = (module.training_step(step, 0).item() for step in (3, 4, 3))
    assert first == again != other
    module.eval()
    assert module.training_step(3, 0).item() != first
