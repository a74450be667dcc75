"""The distillation losses: published numbers, slow float64 loops, and scores no plain sum would survive."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.data.ids import from_zero_based
from engine.distill import losses, weights
from engine.student.cross_entropy import cross_entropy

GOLDEN = os.environ.get("ENGINE_GOLDEN")
RANKED = ("default", "k5_gammas", "no_dro", "readme")
CASES = (*RANKED, "no_rd")
golden = pytest.mark.skipif(GOLDEN is None, reason="ENGINE_GOLDEN does not name the folder of golden vectors")


class Case:
    """One published batch under our ids, with what the published program made of it."""

    def __init__(self, name: str) -> None:
        folder = Path(GOLDEN or "")
        self.raw = raw = load_file(folder / f"dllm2rec_loss_{name}.safetensors")
        fixtures = json.loads((folder / "manifest.json").read_text())["fixtures"]
        self.config = next(f["config"] for f in fixtures if f["file"] == f"dllm2rec_loss_{name}.safetensors")
        self.scores = torch.nn.functional.pad(raw["logits"], (1, 0), value=-torch.inf).requires_grad_()
        self.target, self.negative = self.own(raw["target"]), self.own(raw["target_neg"])
        positions, count = raw["sample_index"], self.config["candidate_topk"]
        self.ranked = self.own(raw["candidates"][positions][:, :count])
        self.distances = raw["confidences"][positions][:, :count]
        next_items = self.own(raw["next_items_train"])
        self.ps = losses.propensities(
            torch.bincount(next_items, minlength=self.config["item_num"] + 1), self.config["ps_power"]
        )
        self.gammas = tuple(self.config[f"gamma_{part}"] for part in ("position", "confidence", "consistency"))

    @staticmethod
    def own(foreign: Tensor) -> Tensor:
        return torch.from_numpy(from_zero_based(foreign.numpy())).long()

    def ranking(self, as_released: bool) -> Tensor:
        given = weights.importance(self.scores, self.ranked, self.distances, self.gammas)  # type: ignore[arg-type]
        return losses.ranking_distillation(
            self.scores,
            self.ranked,
            given,
            self.negative,
            alpha=self.config["alpha"],
            ps=self.ps,
            beta=self.config["beta"],
            as_released=as_released,
        )

    def total(self, as_released: bool) -> Tensor:
        base = losses.base_bce(self.scores, self.target, self.negative)
        dro = losses.dro(self.scores, self.target[:, None], self.ps, self.config["beta"]).mean()
        return base + self.config["alpha"] * dro + self.config["lam"] * self.ranking(as_released)

    def gradient(self, loss: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(loss, self.scores)
        assert (found[:, 0] == 0).all()
        return found[:, 1:]


def near(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got.double(), expected.double().view(got.shape), rtol=1e-4, atol=1e-5)


def near_gradient(got: Tensor, expected: Tensor) -> None:
    """The manifest's tolerance: 1e-4 of the largest entry."""
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@golden
@pytest.mark.parametrize("name", CASES)
def test_the_base_loss_its_dro_and_the_propensities_are_the_published_ones(name: str) -> None:
    case = Case(name)
    torch.testing.assert_close(case.ps[1:], case.raw["ps"], rtol=1e-9, atol=0)
    base = losses.base_bce(case.scores, case.target, case.negative)
    near(base, case.raw["loss_bce"])
    near_gradient(case.gradient(base), case.raw["grad_logits_bce_only"])
    if "loss_dro" in case.raw:
        dro = losses.dro(case.scores, case.target[:, None], case.ps, case.config["beta"])[:, 0]
        near(dro, case.raw["loss_dro"])
        near_gradient(case.gradient(dro.mean()), case.raw["grad_logits_dro_mean_only"])


@golden
@pytest.mark.parametrize("name", RANKED)
def test_the_importance_weights_are_the_published_ones(name: str) -> None:
    case = Case(name)
    near(weights.position(case.config["candidate_topk"]).expand(case.ranked.shape), case.raw["weight_position"])
    near(weights.confidence(case.distances), case.raw["weight_confidence"])
    near(weights.consistency(case.scores, case.ranked), case.raw["weight_consistency"])
    near(
        weights.importance(case.scores, case.ranked, case.distances, case.gammas),  # type: ignore[arg-type]
        case.raw["weight"],
    )


@golden
@pytest.mark.parametrize("name", RANKED)
def test_the_ranking_distillation_is_the_published_one_and_its_corrected_form(name: str) -> None:
    case = Case(name)
    pairs = losses.ranking_pairs(case.scores, case.ranked, case.negative, as_released=True)
    near(pairs, case.raw["rd_pair_terms"])
    near((case.raw["weight"] * pairs).mean(dim=0), case.raw["rd_pair_per_rank"])
    if "rd_dro" in case.raw:
        near(losses.dro(case.scores, case.ranked, case.ps, case.config["beta"]), case.raw["rd_dro"])
    released = case.ranking(as_released=True)
    near(released, case.raw["rd_total"])
    near_gradient(case.gradient(released), case.raw["grad_logits_rd_only"])
    near(case.ranking(as_released=False), case.raw["corrected_rd_total"])


@golden
@pytest.mark.parametrize("name", CASES)
def test_the_total_and_its_gradient_are_the_published_ones_and_their_corrected_form(name: str) -> None:
    case = Case(name)
    released = case.total(as_released=True)
    near(released, case.raw["total"])
    near_gradient(case.gradient(released), case.raw["grad_logits"])
    if "corrected_total" in case.raw:
        corrected = case.total(as_released=False)
        near(corrected, case.raw["corrected_total"])
        near_gradient(case.gradient(corrected), case.raw["corrected_grad_logits"])


def some(rows: int, items: int, top: int, spread: float = 2.0, seed: int = 0) -> dict[str, Any]:
    """A batch in float64: scores, distinct ranked items, distances, targets, negatives, propensities."""
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, items + 1, generator=draw, dtype=torch.float64) * spread
    scores[:, 0] = -torch.inf
    order = torch.stack([torch.randperm(items, generator=draw) for _ in range(rows)]) + 1
    counts = torch.randint(0, 9, (items + 1,), generator=draw)
    return {
        "scores": scores.requires_grad_(),
        "ranked": order[:, :top],
        "target": order[:, top],
        "negative": order[:, top + 1],
        "distances": torch.rand(rows, top, generator=draw, dtype=torch.float64) * 3,
        "ps": losses.propensities(counts, 0.05),
        "counts": counts,
    }


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("beta", [0.5, 1.0, 7.0])
def test_ranking_distillation_matches_a_float64_loop(beta: float) -> None:
    rows, items, top, alpha = 3, 12, 4, 0.7
    batch = some(rows, items, top)
    z, ranked, negative = batch["scores"].detach(), batch["ranked"], batch["negative"]
    total = sum(int(batch["counts"][j]) + 1 for j in range(1, items + 1))
    ps = [0.0] + [((int(batch["counts"][j]) + 1) / total) ** 0.05 for j in range(1, items + 1)]
    expected = 0.0
    for b in range(rows):
        own = sorted(range(1, items + 1), key=lambda j: -float(z[b, j]))[:top]
        parts = []
        for k in range(top):
            by_position = math.exp(-(k + 1)) / sum(math.exp(-(other + 1)) for other in range(top))
            sure = [math.exp(-float(batch["distances"][b, other])) + 1e-8 for other in range(top)]
            shared = float(int(ranked[b, k]) in own) + 1e-8
            parts.append(0.3 * by_position + 0.5 * sure[k] / sum(sure) + 0.1 * shared)
        for k in range(top):
            i, m = int(ranked[b, k]), int(negative[b])
            pair = -math.log(sigmoid(float(z[b, i]))) - math.log(1 - sigmoid(float(z[b, m])))
            others = sum(math.exp(ps[j] * float(z[b, j]) ** 2 / beta) for j in range(1, items + 1) if j != i)
            robust = math.log(others + math.exp(ps[i] * (float(z[b, i]) - 1) ** 2 / beta))
            expected += parts[k] / sum(parts) * (pair + alpha * robust) / rows
    given = weights.importance(batch["scores"], ranked, batch["distances"], (0.3, 0.5, 0.1))
    got = losses.ranking_distillation(batch["scores"], ranked, given, negative, alpha=alpha, ps=batch["ps"], beta=beta)
    assert math.isclose(got.item(), expected, rel_tol=1e-9)


@pytest.mark.parametrize("as_released", [False, True])
def test_gradients_are_those_of_finite_differences(as_released: bool) -> None:
    batch = some(2, 6, 3)
    given = weights.importance(batch["scores"], batch["ranked"], batch["distances"], (0.3, 0.5, 0.1))

    def loss(items: Tensor) -> Tensor:
        scores = torch.nn.functional.pad(items, (1, 0), value=-torch.inf)
        robust = losses.dro(scores, batch["target"][:, None], batch["ps"], 0.9).mean()
        ranking = losses.ranking_distillation(
            scores, batch["ranked"], given, batch["negative"], alpha=0.5, ps=batch["ps"], as_released=as_released
        )
        return losses.base_bce(scores, batch["target"], batch["negative"]) + robust + ranking

    assert torch.autograd.gradcheck(loss, (batch["scores"][:, 1:].detach().requires_grad_(),))


@pytest.mark.parametrize("beta", [1e-4, 0.5, 1e4])
@pytest.mark.parametrize("spread", [0.1, 30.0])
def test_dro_stays_finite_and_right_in_float32_where_a_plain_sum_would_not(beta: float, spread: float) -> None:
    batch = some(8, 40, 10, spread)
    items = torch.cat([batch["scores"][:, 1:].argmax(dim=1, keepdim=True) + 1, batch["ranked"]], dim=1)
    exact = losses.dro(batch["scores"], items, batch["ps"], beta)
    (exact_gradient,) = torch.autograd.grad(exact.mean(), batch["scores"])
    # Exact by another way: the entry is replaced in a copy for every item.
    for k in range(items.shape[1]):
        z, i = batch["scores"].detach().clone(), items[:, k : k + 1]
        z = z.scatter(1, i, z.gather(1, i) - 1)
        slow = torch.logsumexp((batch["ps"] * z.square() / beta)[:, 1:], dim=1)
        torch.testing.assert_close(exact[:, k].detach(), slow, rtol=1e-9, atol=1e-9)
    narrow = batch["scores"].detach().float().requires_grad_()
    got = losses.dro(narrow, items, batch["ps"], beta)
    (gradient,) = torch.autograd.grad(got.mean(), narrow)
    torch.testing.assert_close(got.double(), exact, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(gradient).all()
    if spread**2 / beta < 1e4:  # beyond, an exponent's own rounding in float32 is more than a nat
        near_gradient(gradient.double(), exact_gradient)


@pytest.mark.parametrize(("width", "k"), [(1, 1), (7, 5), (100, 10), (1801, 10), (1801, 1)])
def test_the_kth_largest_is_that_of_a_sort(width: int, k: int) -> None:
    values = torch.randn(6, width, generator=torch.Generator().manual_seed(width)).round(decimals=1)  # with ties
    values[:, 0] = -torch.inf if width > 1 else 0.0
    expected = values.sort(dim=1, descending=True).values[:, k - 1 : k]
    assert torch.equal(weights.kth_largest(values, k), expected)


def test_an_item_that_is_not_valid_counts_nothing_and_the_others_share_its_weight() -> None:
    batch = some(2, 9, 3)
    valid = torch.tensor([[True, False, True], [False, False, False]])
    got = weights.importance(batch["scores"], batch["ranked"], batch["distances"], (0.3, 0.5, 0.1), valid)
    assert got[0, 1] == 0.0 and got[0].sum().item() == pytest.approx(1.0)
    assert got[1].tolist() == [0.0, 0.0, 0.0]


def test_a_row_without_a_negative_learns_from_the_teachers_items_alone() -> None:
    batch = some(2, 9, 3)
    nothing = torch.zeros(2, dtype=torch.long)
    pairs = losses.ranking_pairs(batch["scores"], batch["ranked"], nothing)
    torch.testing.assert_close(
        pairs, torch.nn.functional.softplus(-batch["scores"].gather(1, batch["ranked"])), rtol=1e-12, atol=0
    )
    (gradient,) = torch.autograd.grad(pairs.sum(), batch["scores"])
    assert torch.isfinite(gradient).all() and (gradient[:, 0] == 0).all()


def test_kl_divergence_matches_a_float64_loop_and_is_least_at_the_teachers_own_distribution() -> None:
    batch = some(3, 8, 4)
    teacher = torch.softmax(-batch["distances"], dim=1)
    scores = batch["scores"].detach()
    got = losses.kl_divergence(scores, batch["ranked"], teacher)
    for b in range(3):
        z = [float(x) for x in scores[b, 1:]]
        log_sum = math.log(sum(math.exp(x) for x in z))
        expected = sum(
            float(teacher[b, k]) * (math.log(float(teacher[b, k])) - float(scores[b, i]) + log_sum)
            for k, i in enumerate(batch["ranked"][b].tolist())
        )
        assert got[b].item() == pytest.approx(expected, rel=1e-9)
    same = torch.full_like(batch["scores"], -50.0).scatter(1, batch["ranked"], torch.log(teacher))
    torch.testing.assert_close(
        losses.kl_divergence(same, batch["ranked"], teacher), torch.zeros(3).double(), rtol=0, atol=1e-9
    )


def test_the_soft_target_turns_cross_entropy_into_a_mixture_with_the_kl_divergence() -> None:
    batch, share = some(5, 9, 4), 0.3
    draw = torch.Generator().manual_seed(3)
    states = torch.randn(5, 6, generator=draw).requires_grad_()
    table = torch.randn(10, 6, generator=draw).requires_grad_()
    teacher = torch.softmax(-batch["distances"].float(), dim=1)
    cheap = cross_entropy(states, table, batch["target"]) + share * losses.soft_target(
        states, table, batch["target"], batch["ranked"], teacher
    )
    got = torch.autograd.grad(cheap, (states, table))
    scores = states @ table.T
    hard = torch.nn.functional.cross_entropy(losses.item_scores(scores, -torch.inf), batch["target"], reduction="sum")
    kl = losses.kl_divergence(scores, batch["ranked"], teacher)
    slow = (1 - share) * hard + share * (kl + torch.special.entr(teacher).sum(dim=1)).sum()
    torch.testing.assert_close(cheap, slow, rtol=1e-5, atol=1e-5)
    for one, other in zip(got, torch.autograd.grad(slow, (states, table)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_hint_is_zero_for_the_same_direction_and_two_for_the_opposite_one() -> None:
    vector = torch.tensor([[1.0, 2.0, -1.0]])
    assert losses.hint(3 * vector, vector).item() == pytest.approx(0.0, abs=1e-6)
    assert losses.hint(-vector, vector).item() == pytest.approx(2.0, rel=1e-6)
