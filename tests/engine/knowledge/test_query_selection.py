"""Rows of the largest value, selected prompt by prompt."""

import numpy as np
import pytest
import torch

from engine.data.sequences import Sequences
from engine.data.splits import Events, leave_one_out, temporal
from engine.data.stretches import histories
from engine.knowledge.query_selection import disagreement, ends_before_tests, select, uncertainty

PROMPT = np.repeat(np.arange(10), 4)  # ten prompts of four rows


@pytest.mark.parametrize("kind", ["random", "uncertain"])
@pytest.mark.parametrize(("budget", "rows", "prompts"), [(0.2, 8, 2), (0.25, 10, 3), (1.0, 40, 10)])
def test_the_budget_is_a_share_of_the_rows_in_as_few_prompts_as_hold_them(
    kind: str, budget: float, rows: int, prompts: int
) -> None:
    found = select(kind, budget, 1, PROMPT, lambda: torch.rand(40, generator=torch.Generator().manual_seed(0)))
    assert len(found) == rows and len(set(PROMPT[found])) == prompts
    assert (np.diff(found) > 0).all()


def test_the_prompts_of_the_largest_mean_value_come_first() -> None:
    value = torch.zeros(40)
    value[PROMPT == 7] = 1.0
    value[0] = 3.5  # one row alone: 3.5 / 4 on average
    assert select("uncertain", 0.1, 1, PROMPT, lambda: value).tolist() == [28, 29, 30, 31]
    assert select("uncertain", 0.2, 1, PROMPT, lambda: value).tolist() == [0, 1, 2, 3, 28, 29, 30, 31]


def test_another_seed_draws_other_prompts_and_the_same_seed_the_same() -> None:
    def draw(seed: int) -> list[int]:
        return select("random", 0.3, seed, PROMPT, lambda: torch.zeros(40)).tolist()

    assert draw(1) == draw(1) != draw(2)


def test_all_rows_are_all_rows() -> None:
    assert select("all", 1.0, 1, PROMPT, lambda: torch.zeros(40)).tolist() == list(range(40))


def test_uncertainty_is_the_entropy_of_the_softmax_over_items() -> None:
    table = torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])  # the padding's row counts nothing
    p = torch.softmax(torch.tensor([2.0, 0.0, 0.0]).double(), dim=0)
    found = uncertainty(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), table, None)
    assert found.tolist() == pytest.approx([float(-(p * p.log()).sum()), np.log(3)])


def test_disagreement_is_the_share_of_first_items_that_text_does_not_rank_first() -> None:
    """41 items, one of them seen: the student's and the text's first 20 of the others share 20 or none."""
    order = torch.arange(-1.0, 41.0)[:, None]
    text = torch.cat([order, torch.ones(42, 1)], dim=1)
    seen = (torch.tensor([41]), torch.tensor([0, 0]), torch.tensor([1, 1]))
    found = disagreement(torch.tensor([[1.0], [-1.0]]), order, None, text, seen)
    assert found.tolist() == [0.0, 1.0]


def test_ends_of_training_that_are_whole_test_histories_are_found_in_a_temporal_split_and_nowhere_else() -> None:
    lengths = np.array([4, 6, 5, 3])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    # The last user's third event is the latest of all: a test row without a validation row before it.
    time = np.concatenate([[0, 1, 2, 3], [10, 11, 12, 13, 14, 15], [20, 21, 22, 23, 24], [1, 2, 99]])
    events = Events(np.arange(1, 19, dtype=np.int32), offsets, time, np.arange(18))
    split = temporal(events, window=1)
    trained = histories(split.trained)
    found = ends_before_tests(trained, histories(split.test))
    ends = dict(zip(trained.users.tolist(), (trained.offsets[1:] - 1).tolist(), strict=True))
    assert len(split.test) > 0 and found.tolist() == [ends[3]]
    apart = leave_one_out(events)
    assert ends_before_tests(histories(apart.trained), histories(apart.test)).tolist() == []


def test_users_that_are_tested_and_never_trained_on_are_no_fault() -> None:
    sequences = Sequences(np.array([1, 2, 3], dtype=np.int32), np.array([0, 3]), np.array([0]))
    test = Sequences(np.array([1, 2, 3], dtype=np.int32), np.array([0, 3]), np.array([7]))
    assert ends_before_tests(sequences, test).tolist() == []
    assert ends_before_tests(sequences, Sequences(test.items, test.offsets, np.array([0]))).tolist() == [2]
