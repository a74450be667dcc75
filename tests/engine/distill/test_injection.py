"""A teacher's item vectors in a student: the published scores, and no trace of them once training is over."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from engine import config
from engine.config.settings.distill import InjectionSettings
from engine.config.settings.student import StudentSettings
from engine.data.ids import from_zero_based
from engine.distill.injection import Injection, merged, tables, without_own_vectors
from engine.errors import ConfigError
from engine.metrics import ranking
from engine.student.model import SequenceModel, load_student, save_student
from engine.student.packed_sequences import of_histories
from tests.fixtures.students import PUBLISHED, published

GOLDEN = os.environ.get("ENGINE_GOLDEN")


@pytest.fixture
def student() -> Callable[..., StudentSettings]:
    def make(model: str, **changes: object) -> StudentSettings:
        return replace(config.load([f"student={model}", "student.temperature=1.0"]).student, **changes)  # type: ignore[arg-type]

    return make


def injecting(**changes: object) -> InjectionSettings:
    base = config.load([]).distill.injection
    return replace(base, **{"weight": 0.3, "hidden": None, "tables": "inputs"} | changes)  # type: ignore[arg-type]


@pytest.mark.skipif(GOLDEN is None, reason="ENGINE_GOLDEN does not name the folder of golden vectors")
@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_student_with_injected_vectors_gives_the_published_scores(
    kind: str, student: Callable[..., StudentSettings], tmp_path: Path
) -> None:
    case = load_file(Path(GOLDEN or "") / "dllm2rec_students_forward.safetensors")
    model = published(kind, case, student(PUBLISHED[kind], max_length=10))
    vectors = torch.nn.functional.pad(case["llm_item_table"].float(), (0, 0, 1, 0))
    injection = Injection(vectors, 64, injecting(standardise=False))
    assert isinstance(injection.project, nn.Linear)
    with torch.no_grad():
        injection.project.weight.copy_(case["fc_weight"].float())
        injection.project.bias.copy_(case["fc_bias"])
    history = torch.from_numpy(from_zero_based(case["seq"].numpy(), padding=60)).long()
    save_student(tmp_path / "plain.safetensors", merged(model, injection, "inputs"))
    plain = load_student(tmp_path / "plain.safetensors")
    with torch.no_grad():
        table, bias = plain.item_table()
        scores = ranking.score_items(plain.user_vectors(history), table, bias)[:, 1:]
    torch.testing.assert_close(scores, case[f"{kind}.logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "into", "changes"),
    [
        ("sasrec", "inputs", {}),
        ("sasrec", "both", {"normalise": True, "temperature": 0.1}),
        ("sasrec-reference", "inputs", {}),
        ("gru4rec", "both", {}),
        ("caser", "inputs", {}),
    ],
)
@pytest.mark.parametrize("hidden", [None, 7])
def test_the_folded_model_gives_the_same_scores_and_knows_no_teacher(
    model: str, into: str, changes: dict[str, object], hidden: int | None, student: Callable[..., StudentSettings]
) -> None:
    torch.manual_seed(0)
    trained = SequenceModel(30, student(model, hidden=16, max_length=10, **changes)).eval()
    injection = Injection(torch.randn(31, 5), 16, injecting(tables=into, hidden=hidden))
    history = torch.tensor([[3, 9, 30, 1], [7, 2, 0, 0]])
    packed, real = of_histories(history)
    with torch.no_grad():
        before, _ = trained.item_table()
        kept = before.clone()
        read, table, bias = tables(trained, injection, into)
        states = trained.encode(history[real], packed, read)
        expected = ranking.score_items(states, table, bias)
        plain = merged(trained, injection, into)
        own_table, own_bias = plain.item_table()
        got = ranking.score_items(plain.encode(history[real], packed), own_table, own_bias)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert set(plain.state_dict()) == set(trained.state_dict())
    assert torch.equal(trained.item_table()[0], kept)  # what goes on training is not touched
    assert (plain.network.inputs()[0] == trained.network.inputs()[0]).all()  # the padding's row neither


def test_the_projector_and_the_students_own_vectors_both_learn(student: Callable[..., StudentSettings]) -> None:
    trained = SequenceModel(30, student("sasrec", hidden=16, max_length=10))
    injection = Injection(torch.randn(31, 5), 16, injecting())
    read, table, _ = tables(trained, injection, "inputs")
    assert read is table  # one table is read and scored with
    (read.square().sum()).backward()
    for parameter in (*injection.parameters(), trained.network.inputs()):
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0


def test_standardised_vectors_have_mean_zero_and_mean_square_one_whatever_they_come_as() -> None:
    vectors = torch.randn(50, 4) * 100 + 37
    vectors[0] = 1e6  # a padding row that is not zero must not matter
    made = Injection(vectors, 8, injecting(standardise=True)).vectors
    torch.testing.assert_close(made[1:].mean(dim=0), torch.zeros(4), rtol=0, atol=1e-5)
    assert made[1:].square().mean().item() == pytest.approx(1.0, rel=1e-5)
    assert (made[0] == 0).all()


def test_the_teachers_vectors_are_not_written_into_checkpoints() -> None:
    injection = Injection(torch.randn(31, 5), 16, injecting())
    assert set(injection.state_dict()) == {"project.weight", "project.bias"}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("sasrec", {}),
        ("sasrec", {"normalise": True, "temperature": 0.1}),
        ("gru4rec", {}),
        ("sasrec-reference", {}),
    ],
)
@pytest.mark.parametrize(("hidden", "weight"), [(None, 0.1), (7, 3.0)])
def test_alone_the_projected_vectors_begin_in_the_size_of_own_ones_and_are_all_that_is_trained_of_an_item(
    model: str, changes: dict[str, object], hidden: int | None, weight: float, student: Callable[..., StudentSettings]
) -> None:
    torch.manual_seed(0)
    whole = SequenceModel(30, student(model, hidden=16, max_length=10, initial=0.05, **changes))
    injection = Injection(torch.randn(31, 5), 16, injecting(tables="both", hidden=hidden, weight=weight))
    without_own_vectors(whole, injection)
    assert float(injection()[1:].detach().square().mean().sqrt()) == pytest.approx(0.05, rel=1e-5)
    of_items = {id(whole.network.inputs()), *(id(part) for part in whole.network.outputs() if part is not None)}
    frozen = {id(part) for part in whole.parameters() if not part.requires_grad}
    assert frozen == of_items and all((part == 0).all() for part in whole.parameters() if id(part) in frozen)
    plain = merged(whole, injection, "both")
    torch.testing.assert_close(plain.network.inputs()[1:], injection()[1:])
    torch.testing.assert_close(plain.network.outputs()[0][1:], injection()[1:])
    assert (plain.network.inputs()[0] == 0).all()


@pytest.mark.parametrize(
    "words",
    [
        ["distill.injection.weight=0"],
        ["student=gru4rec", "distill.injection.tables=inputs"],
        ["student=caser", "distill.injection.tables=both"],
    ],
)
def test_without_own_vectors_there_must_be_projected_ones_to_read_and_to_score_with(words: list[str]) -> None:
    with pytest.raises(ConfigError):
        config.load(["distill.own_vectors=false", "distill.injection.weight=0.1", *words])
    config.load(["distill.own_vectors=false", "student=gru4rec", "distill.injection.tables=both"])
