"""The published students' numbers: forward, gradients and metrics of the weights they shipped."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.config.settings.student import StudentSettings
from engine.data.ids import from_zero_based
from engine.metrics import ranking
from engine.student.model import SequenceModel
from engine.student.packed_sequences import ragged
from tests.fixtures.students import PUBLISHED, published, published_sasrec

GOLDEN = os.environ.get("ENGINE_GOLDEN")
pytestmark = pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
NEAR = {"rtol": 1e-4, "atol": 1e-5}
REAL_LOGITS = {"rtol": 1e-4, "atol": 1e-4}

Settings = Callable[..., StudentSettings]


def golden(name: str) -> dict[str, Tensor]:
    return load_file(Path(str(GOLDEN)) / f"{name}.safetensors")


def own_ids(foreign: Tensor, items: int) -> Tensor:
    """0-based ids with the padding last, as our ids."""
    return torch.from_numpy(from_zero_based(foreign.numpy(), padding=items)).long()


@pytest.fixture(scope="module")
def encoder(settings: Settings) -> SequenceModel:
    """The shipped MovieLens encoder."""
    model = SequenceModel(1682, settings(model="sasrec-reference", hidden=64, max_length=10))
    model.network.load_state_dict(published_sasrec(golden("sasrec_movielens_weights")))
    return model.eval()


def logits(model: SequenceModel, vectors: Tensor) -> Tensor:  # [B, D] -> [B, n], items only
    table, bias = model.item_table()
    return ranking.score_items(vectors, table, bias)[:, 1:]


@pytest.mark.parametrize("name", ["sasrec_movielens_forward", "sasrec_movielens_short_and_grads"])
def test_the_shipped_encoder_gives_its_published_states_and_scores(encoder: SequenceModel, name: str) -> None:
    case = golden(name)
    with torch.no_grad():
        vectors = encoder.user_vectors(own_ids(case["seq"], 1682))
        scores = logits(encoder, vectors)
    torch.testing.assert_close(vectors, case["user_repr"], **NEAR)
    torch.testing.assert_close(scores, case["logits"], **REAL_LOGITS)


def test_its_gradients_are_the_published_ones(encoder: SequenceModel) -> None:
    case = golden("sasrec_movielens_short_and_grads")
    encoder.zero_grad()
    table, bias = encoder.item_table()
    assert bias is not None
    scores = encoder.user_vectors(own_ids(case["seq"], 1682)) @ table.T + bias
    (scores[:, 1:] * case["grad_out"]).sum().backward()
    gradients = {name: value.grad for name, value in encoder.network.named_parameters() if value.grad is not None}
    foreign = {name.removeprefix("grad."): value for name, value in case.items() if name.startswith("grad.")}
    tables = {
        "item_embeddings.weight": torch.zeros(1683, 1),
        "s_fc.weight": torch.zeros(1682, 1),
        "s_fc.bias": torch.zeros(1682),
    }
    expected = published_sasrec(foreign | tables)
    for name in set(expected) - {"table", "output", "bias"}:
        torch.testing.assert_close(gradients[name], expected[name], rtol=1e-4, atol=2e-4)
    rows = own_ids(case["grad_rows.item_ids"], 1682)
    torch.testing.assert_close(gradients["table"][rows], case["grad_rows.item_embeddings"], rtol=1e-4, atol=2e-4)
    assert gradients["output"].norm().item() == pytest.approx(case["gradnorm.s_fc.weight"].item(), rel=1e-4)


@pytest.mark.parametrize(("protocol", "hide"), [("all_items", False), ("history_excluded", True)])
def test_its_metrics_on_the_95_rows_are_the_published_ones(encoder: SequenceModel, protocol: str, hide: bool) -> None:
    case = golden("sasrec_movielens_test_ranks")
    manifest = json.loads((Path(str(GOLDEN)) / "manifest.json").read_text())
    (entry,) = (each for each in manifest["fixtures"] if each["kind"] == "sasrec_metrics")
    expected = entry["config"]["metrics"][protocol]
    history, targets = own_ids(case["seq"], 1682), own_ids(case["target"], 1682)
    real = history != 0
    seen = (torch.arange(95)[:, None].expand_as(history)[real], history[real]) if hide else None
    with torch.no_grad():
        table, bias = encoder.item_table()
        ranks = ranking.target_ranks(ranking.score_items(encoder.user_vectors(history), table, bias), targets, seen)
    assert torch.equal(ranks.long() - 1, case["rank_excl" if hide else "rank_all"])
    for k in (1, 5, 10, 20):
        assert ranking.hit_rate(ranks, k).mean().item() == pytest.approx(expected[f"HR@{k}"], abs=1e-9)
        assert ranking.ndcg(ranks, k).mean().item() == pytest.approx(expected[f"NDCG@{k}"], abs=1e-9)
    assert ranking.mrr(ranks).mean().item() == pytest.approx(expected["MRR"], abs=1e-9)


@pytest.mark.parametrize("kind", ["SASRec", "GRU", "Caser"])
@pytest.mark.parametrize("injected", [False, True])
def test_published_students_give_their_scores(kind: str, injected: bool, settings: Settings) -> None:
    case = golden("dllm2rec_students_forward")
    chosen = settings(model=PUBLISHED[kind], hidden=64, max_length=10, filters=16, heights=[2, 3, 4])
    model, history = published(kind, case, chosen), own_ids(case["seq"], 60)
    inputs = model.network.inputs().detach().clone()
    if injected:
        text = case["llm_item_table"].float() @ case["fc_weight"].float().T + case["fc_bias"]
        inputs[1:] += 0.3 * text
    lengths = (history != 0).sum(dim=1)
    packed, _ = ragged(lengths, 10)
    with torch.no_grad():
        states = model.encode(history[history != 0], packed, inputs)
        scores = logits(model, states[lengths.cumsum(0) - 1])
    torch.testing.assert_close(scores, case[f"{kind}.logits" if injected else f"{kind}.logits_no_llm"], **NEAR)
