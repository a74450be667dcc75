import math

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.data.sequences import Rows
from engine.evaluate.measure import DrawnCandidates, Measured, Protocol, best, measure
from engine.metrics import candidates, ranking


def slow_rank(scores: np.ndarray, target: int, among: list[int]) -> float:
    if target not in among:
        return np.inf
    others = [i for i in among if i != target]
    above = sum(scores[i] > scores[target] for i in others)
    return 1 + above + sum(scores[i] == scores[target] for i in others) / 2


@pytest.mark.parametrize("rows_at_least", [1, 7, 1000])
def test_all_protocols_agree_with_loops(monkeypatch: pytest.MonkeyPatch, held_out: Rows, rows_at_least: int) -> None:
    monkeypatch.setitem(ranking.SCORES_AT_ONCE, "cpu", 1)
    monkeypatch.setattr(ranking, "ROWS_AT_LEAST", rows_at_least)
    scores = torch.randint(-9, 9, (len(held_out), 61), generator=torch.Generator().manual_seed(1)).float()
    scores[:, 0] = -torch.inf
    latest = held_out.latest(10)
    drawn = candidates.draw(latest, held_out.targets, 60, 20, seed=3)
    asked: list[slice] = []
    done: list[int] = []

    def score(block: slice) -> Tensor:
        asked.append(block)
        return scores[block].clone()

    found = measure("m", "test", score, held_out, 60, DrawnCandidates(drawn, latest), "cpu", done.append)
    by = {result.protocol: result for result in found}
    plain = scores.numpy()
    for row, target in enumerate(held_out.targets):
        seen = set(held_out.items[held_out.start[row] : held_out.stop[row]].tolist())
        everything = list(range(1, 61))
        unseen = [i for i in everything if i not in seen]
        assert by[Protocol(False, "all")].ranks[row] == slow_rank(plain[row], target, everything)
        assert by[Protocol(True, "all")].ranks[row] == slow_rank(plain[row], target, unseen)
        assert by[Protocol(False, "20")].ranks[row] == slow_rank(plain[row], target, drawn[row].tolist())
        tied = sum(plain[row, i] == plain[row, target] for i in everything) - 1
        assert by[Protocol(False, "all")].tied[row] == tied
        listed = by[Protocol(True, "all")].lists
        assert listed is not None
        assert not set(listed[row].tolist()) & seen
        assert (np.diff(plain[row, listed[row]]) <= 0).all()
    assert len(asked) == -(-len(held_out) // rows_at_least)
    assert done[-1] == len(held_out)


def test_the_expected_first_places_are_those_of_many_draws() -> None:
    # Repeated items, a target in its own history, an empty history, ties with items that may be drawn and others.
    items = np.array([5, 3, 5, 9, 9, 2, 8, 8, 1, 4], dtype=np.int32)
    start, stop, times = np.array([0, 3, 5, 9]), np.array([3, 4, 8, 9]), 4000
    rows = Rows(items, np.tile(start, times), np.tile(stop, times), np.arange(4 * times))
    latest = rows.latest(4)
    scores = torch.tensor([[9.0, 1, 4, 2, 3, 3, 4, 1, 2, 3, 0, 2, 1]]).repeat(4, 1)
    scores[3] = scores[3].flip(0).roll(1)
    drawn = DrawnCandidates(candidates.draw(latest, rows.targets, 12, 4, seed=1), latest)
    found = measure("m", "test", lambda block: scores.repeat(times, 1)[block], rows, 12, drawn, "cpu", int)[2]
    assert found.first is not None
    expected = found.first[:4]
    for row, target in enumerate(rows.targets[:4]):
        pool = set(range(1, 13)) - {int(target), *latest[row].tolist()}
        ahead = sum(scores[row, item] >= scores[row, target] for item in pool)
        assert expected[row] == pytest.approx(math.comb(len(pool) - int(ahead), 3) / math.comb(len(pool), 3))
    share = (found.ranks == 1).reshape(times, 4).mean(axis=0)
    assert np.abs(share - expected).max() < 5 * np.sqrt(0.25 / times)
    assert len(set(expected)) == 3  # one row can never be first, two are alike


def test_a_seen_target_is_neither_listed_nor_ranked() -> None:
    rows = Rows(np.array([2, 5, 2], dtype=np.int32), np.array([0]), np.array([2]), np.array([0]))
    scores = torch.arange(7.0)[None]
    _, hidden = measure("m", "test", lambda block: scores.clone(), rows, 6, None, "cpu", lambda done: None)
    assert hidden.lists is not None
    assert hidden.lists.tolist() == [[6, 4, 3, 1, 0, 0]]  # 5 is seen, 2 is seen and wanted
    assert hidden.ranks.tolist() == [np.inf] and hidden.tied.tolist() == [0]


def test_a_list_ends_where_nothing_is_left_to_show() -> None:
    scores = torch.full((1, 13), -torch.inf)
    scores[0, 4], scores[0, 9] = 1.0, 2.0
    assert best(scores).tolist() == [[9, 4, 0, 0, 0, 0, 0, 0, 0, 0]]
    assert best(scores[:, :4]).tolist() == [[0, 0, 0]]


def test_scores_that_are_not_numbers_are_an_error(held_out: Rows) -> None:
    def broken(block: slice) -> Tensor:
        return torch.full((block.stop - block.start, 61), torch.nan)

    with pytest.raises(ValueError, match="not a number"):
        measure("m", "test", broken, held_out, 60, None, "cpu", lambda done: None)


def test_without_candidates_there_are_two_protocols(held_out: Rows) -> None:
    def constant(block: slice) -> Tensor:
        return torch.zeros(block.stop - block.start, 61)

    found: list[Measured] = measure("m", "test", constant, held_out, 60, None, "cpu", lambda done: None)
    assert [result.protocol for result in found] == [Protocol(False, "all"), Protocol(True, "all")]
    assert (found[0].ranks == 30.5).all()  # all sixty items share the ranks 1 to 60
