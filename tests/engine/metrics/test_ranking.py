import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine.data.sequences import Rows
from engine.evaluate.measure import measure
from engine.metrics import ranking
from engine.metrics.lists import first_items, rank_of
from engine.metrics.ranking import (
    history_pairs,
    hit_rate,
    mixed_ranks,
    mrr,
    ndcg,
    ranks_in_blocks,
    score_items,
    target_ranks,
)


def slow_rank(scores: list[float], target: int, hidden: set[int]) -> float:
    """Average rank of the target over all orders of equal scores, found by sorting; none where it is hidden itself."""
    if target in hidden:
        return math.inf
    shown = [i for i in range(1, len(scores)) if i not in hidden]
    ordered = sorted(shown, key=lambda i: -scores[i])
    ranks = [rank for rank, i in enumerate(ordered, start=1) if scores[i] == scores[target]]
    return sum(ranks) / len(ranks)


def golden(name: str) -> Path:
    folder = os.environ.get("ENGINE_GOLDEN")
    if not folder:
        pytest.skip("ENGINE_GOLDEN does not name the folder of golden vectors")
    return Path(folder) / name


def random_case(seed: int) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(-4, 5, (40, 13), generator=draw).double() / 3  # many ties
    scores[:, 0] = -torch.inf
    targets = torch.randint(1, 13, (40,), generator=draw)
    seen = torch.randint(0, 40, (90,), generator=draw), torch.randint(1, 13, (90,), generator=draw)
    return scores, targets, seen


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_those_of_a_sort_with_and_without_seen_items(seed: int) -> None:
    scores, targets, seen = random_case(seed)
    hidden = [set(seen[1][seen[0] == row].tolist()) for row in range(40)]
    for pairs, sets in ((None, [set[int]()] * 40), (seen, hidden)):
        expected = [slow_rank(scores[r].tolist(), int(targets[r]), sets[r]) for r in range(40)]
        assert target_ranks(scores, targets, pairs).tolist() == expected
        assert target_ranks(scores.float(), targets, pairs).tolist() == expected


def test_the_padding_column_never_counts() -> None:
    scores = torch.tensor([[9.0, 1.0, 2.0], [float("nan"), 1.0, 1.0]])
    assert target_ranks(scores, torch.tensor([2, 1])).tolist() == [1.0, 1.5]


def test_items_of_equal_score_share_their_average_rank() -> None:
    scores = torch.tensor([[-torch.inf, 5.0, 3.0, 3.0, 3.0, 1.0]])
    assert [target_ranks(scores, torch.tensor([i])).item() for i in range(1, 6)] == [1, 3, 3, 3, 5]
    constant = torch.zeros(1, 101)
    assert target_ranks(constant, torch.tensor([17])).item() == 50.5


def test_a_seen_target_is_hidden_as_any_other_item_and_counts_for_nothing() -> None:
    scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0]]).repeat(3, 1)
    seen = torch.tensor([0, 0, 0, 1, 2]), torch.tensor([1, 2, 2, 1, 2])  # row 1 hides another item, row 2 the target
    ranks = target_ranks(scores, torch.tensor([2, 2, 2]), seen)
    assert ranks.tolist() == [math.inf, 1.0, math.inf]
    for metric in (hit_rate(ranks, 20), ndcg(ranks, 20), mrr(ranks)):
        assert metric.tolist() == [0.0, 1.0, 0.0]


@given(st.integers(2, 14), st.data())
def test_a_rank_reaches_k_exactly_where_the_first_k_items_hold_the_target(n: int, data: st.DataObject) -> None:
    """The rank of evaluation, of ``recommend`` and the lists of both, with scores that all differ."""
    scores = torch.tensor([[-math.inf, *data.draw(st.permutations([float(i) for i in range(n)]))]])
    seen = data.draw(st.lists(st.integers(1, n), max_size=n + 3))
    target = data.draw(st.integers(1, n))
    pairs = torch.zeros(len(seen), dtype=torch.long), torch.tensor(seen, dtype=torch.long)
    rank = target_ranks(scores, torch.tensor([target]), pairs).item()
    history = np.array([*seen, target], dtype=np.int32)
    rows = Rows(history, np.array([0]), np.array([len(seen)]), np.array([0]))
    _, hidden = measure("m", "test", lambda block: scores.clone(), rows, n, None, "cpu", lambda done: None)
    assert hidden.ranks.tolist() == [rank] == [rank_of(scores[0].numpy(), seen, target)]
    assert hidden.lists is not None
    assert (rank <= hidden.lists.shape[1]) == (target in hidden.lists[0].tolist())
    for k in range(1, n + 4):
        shown = [item for item, _ in first_items(scores[0].numpy(), seen, k)]
        assert (rank <= k) == (target in shown)


def test_minus_infinity_is_a_score_and_infinity_too() -> None:
    scores = torch.tensor([[0.0, -torch.inf, -torch.inf, 1.0, torch.inf]])
    assert target_ranks(scores, torch.tensor([1])).item() == 3.5


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    scores = torch.zeros(3, 4)
    scores[1, 2] = float("nan")
    with pytest.raises(ValueError, match="1 rows have a score that is not a number"):
        target_ranks(scores, torch.tensor([1, 1, 1]))


@pytest.mark.parametrize("target", [0, 4, -1])
def test_a_target_that_is_no_item_is_an_error(target: int) -> None:
    with pytest.raises(ValueError, match=r"item ids 1\.\.3"):
        target_ranks(torch.zeros(1, 4), torch.tensor([target]))


def test_half_precision_counts_thousands_of_items_exactly() -> None:
    scores = torch.ones(1, 5001, dtype=torch.bfloat16)
    scores[0, 5000] = 0
    assert target_ranks(scores, torch.tensor([5000])).item() == 5000.0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_higher_score_of_the_target_never_lowers_its_place(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=12))
    target = data.draw(st.integers(1, len(values)))
    gain = data.draw(st.floats(0, 1e3, width=32))
    before = torch.tensor([[-math.inf, *values]])
    after = before.clone()
    after[0, target] += gain
    chosen = torch.tensor([target])
    assert target_ranks(after, chosen).item() <= target_ranks(before, chosen).item()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter_and_all_ranks_add_up(values: list[int], order: object) -> None:
    n = len(values)
    scores = torch.tensor([[-math.inf, *map(float, values)]])
    ranks = torch.cat([target_ranks(scores, torch.tensor([i])) for i in range(1, n + 1)])
    assert ranks.sum().item() == n * (n + 1) / 2
    columns = list(range(n))
    order.shuffle(columns)  # type: ignore[attr-defined]
    mixed = torch.tensor([[-math.inf, *(float(values[p]) for p in columns)]])
    again = torch.cat([target_ranks(mixed, torch.tensor([i])) for i in range(1, n + 1)])
    assert again.tolist() == ranks[columns].tolist()


@pytest.mark.parametrize("biased", [False, True])
def test_ranks_in_blocks_are_those_of_the_whole_matrix(monkeypatch: pytest.MonkeyPatch, biased: bool) -> None:
    torch.manual_seed(3)
    users, table = torch.randn(23, 4), torch.randn(12, 4)
    bias = torch.randn(12) if biased else None
    targets = torch.randint(1, 12, (23,))
    items = torch.randint(1, 12, (60,), dtype=torch.int32)
    start = torch.randint(0, 50, (23,))
    stop = start + torch.randint(0, 10, (23,))
    scores = users.double() @ table.double().T + (0.0 if bias is None else bias.double())
    hidden = [set(items[a:b].tolist()) for a, b in zip(start, stop, strict=True)]
    plain = [slow_rank(scores[r].tolist(), int(targets[r]), set()) for r in range(23)]
    unseen = [slow_rank(scores[r].tolist(), int(targets[r]), hidden[r]) for r in range(23)]
    assert plain != unseen
    monkeypatch.setattr(ranking, "ROWS_AT_LEAST", 1)
    for entries in (1, 5 * 12 + 3, 1 << 20):  # one row at a time, uneven blocks, everything at once
        monkeypatch.setitem(ranking.SCORES_AT_ONCE, "cpu", entries)
        assert ranks_in_blocks(users, table, targets, bias).tolist() == plain
        assert ranks_in_blocks(users, table, targets, bias, (items, start, stop)).tolist() == unseen


@pytest.mark.parametrize("biased", [False, True])
def test_ranks_of_mixtures_are_those_of_the_summed_scores(monkeypatch: pytest.MonkeyPatch, biased: bool) -> None:
    torch.manual_seed(5)
    parts = [(torch.randn(19, width), torch.randn(12, width)) for width in (4, 1, 6)]
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.5, 2.0, 1.0], [0.0, -1.0, 0.3]])
    bias, targets = torch.randn(12) if biased else None, torch.randint(1, 12, (19,))
    items, start = torch.randint(1, 12, (60,), dtype=torch.int32), torch.randint(0, 50, (19,))
    seen = items, start, start + torch.randint(0, 10, (19,))
    scores = [users.double() @ table.double().T for users, table in parts]
    monkeypatch.setattr(ranking, "ROWS_AT_LEAST", 1)
    for entries in (1, 1 << 20):
        monkeypatch.setitem(ranking.SCORES_AT_ONCE, "cpu", entries)
        for histories in (None, seen):
            found = mixed_ranks(ranking.products(parts), weights, 12, targets, bias, histories)
            for m, weight in enumerate(weights.double()):
                mixed = sum(share * part for share, part in zip(weight, scores, strict=True))
                mixed = mixed + (0.0 if bias is None else bias.double())
                for r in range(19):
                    hidden = set() if histories is None else set(items[start[r] : histories[2][r]].tolist())
                    assert found[m, r].item() == slow_rank(mixed[r].tolist(), int(targets[r]), hidden)


def test_blocks_cover_all_rows_and_stay_small_but_not_too_small() -> None:
    covered = [row for block in ranking.blocks(1000, 50_000, "cpu") for row in range(block.start, block.stop)]
    assert covered == list(range(1000))
    sizes = {block.stop - block.start for block in ranking.blocks(10_000, 50_000, "cpu")}
    assert max(sizes) * 50_000 <= ranking.SCORES_AT_ONCE["cpu"]
    assert next(ranking.blocks(10_000, 5_000_000, "cpu")) == slice(0, ranking.ROWS_AT_LEAST)


def test_no_rows_have_no_ranks() -> None:
    empty = torch.empty(0, dtype=torch.int64)
    assert target_ranks(torch.empty(0, 5), empty).tolist() == []
    assert ranks_in_blocks(torch.empty(0, 2), torch.empty(5, 2), empty).tolist() == []


def test_the_padding_scores_minus_infinity() -> None:
    assert score_items(torch.ones(2, 3), torch.ones(4, 3))[:, 0].tolist() == [-math.inf, -math.inf]


def test_history_pairs_name_every_event_of_every_row() -> None:
    items = torch.tensor([7, 8, 9, 4, 5], dtype=torch.int32)
    rows, seen = history_pairs((items, torch.tensor([0, 1, 1, 3]), torch.tensor([2, 1, 4, 5])), slice(0, 4))
    assert list(zip(rows.tolist(), seen.tolist(), strict=True)) == [
        (0, 7),
        (0, 8),
        (2, 8),
        (2, 9),
        (2, 4),
        (3, 4),
        (3, 5),
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_ranks_as_the_processor_does() -> None:
    torch.manual_seed(3)
    users, table = torch.randint(-3, 4, (3000, 8)).float(), torch.randint(-3, 4, (5001, 8)).float()  # exact products
    targets, items = torch.randint(1, 5001, (3000,)), torch.randint(1, 5001, (30_000,))
    start = torch.arange(3000) * 10
    seen = (items, start, start + 10)
    on_gpu = ranks_in_blocks(
        users.cuda(), table.cuda(), targets.cuda(), None, (seen[0].cuda(), seen[1].cuda(), seen[2].cuda())
    )
    assert on_gpu.cpu().tolist() == ranks_in_blocks(users, table, targets, None, seen).tolist()


def test_metrics_equal_their_formulas_by_hand() -> None:
    ranks = torch.tensor([1.0, 2.0, 10.0, 10.5, 11.0], dtype=torch.float64)
    assert hit_rate(ranks, 10).tolist() == [1, 1, 1, 0, 0]
    expected = [1.0, 1 / math.log2(3), 1 / math.log2(11), 0.0, 0.0]
    assert ndcg(ranks, 10).tolist() == pytest.approx(expected, abs=1e-15)
    assert mrr(ranks).tolist() == pytest.approx([1, 1 / 2, 1 / 10, 2 / 21, 1 / 11], abs=1e-15)
    assert mrr(ranks, 2).tolist() == [1, 0.5, 0, 0, 0]
    assert ranking.recall(ranks, 1).tolist() == [1, 0, 0, 0, 0]


def test_metrics_equal_the_published_helper_of_dllm2rec() -> None:
    stored = load_file(golden("dllm2rec_metrics.safetensors"))
    n = stored["prediction"].shape[1]
    padded = torch.cat([torch.full((30, 1), -torch.inf), stored["prediction"]], dim=1)
    targets = 1 + stored["target"]  # theirs count from 0
    ranks = target_ranks(padded, targets)
    assert ranks.tolist() == (1 + stored["rank"]).tolist()
    assert n == 50
    for index, k in enumerate((1, 5, 10, 20)):
        assert hit_rate(ranks, k).mean().item() == pytest.approx(stored["hr"][index].item(), abs=1e-12)
        assert ndcg(ranks, k).mean().item() == pytest.approx(stored["ndcg"][index].item(), abs=1e-12)


def test_metrics_of_the_shipped_encoder_follow_from_its_ranks() -> None:
    stored = load_file(golden("sasrec_movielens_test_ranks.safetensors"))
    fixtures = json.loads(golden("manifest.json").read_text())["fixtures"]
    (entry,) = [f for f in fixtures if f["file"] == "sasrec_movielens_test_ranks.safetensors"]
    for tensor, protocol in (("rank_all", "all_items"), ("rank_excl", "history_excluded")):
        ranks, published = 1.0 + stored[tensor].double(), entry["config"]["metrics"][protocol]
        for k in (1, 5, 10, 20):
            assert hit_rate(ranks, k).mean().item() == pytest.approx(published[f"HR@{k}"], abs=1e-12)
            assert ndcg(ranks, k).mean().item() == pytest.approx(published[f"NDCG@{k}"], abs=1e-12)
        assert mrr(ranks).mean().item() == pytest.approx(published["MRR"], abs=1e-12)
        assert (ranks - 1).mean().item() == pytest.approx(published["mean_rank"], abs=1e-9)
