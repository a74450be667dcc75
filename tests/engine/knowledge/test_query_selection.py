"""Rows worth asking about, taken prompt by prompt."""

import numpy as np
import pytest
import torch

from engine.knowledge.query_selection import chosen

QUESTION = np.repeat(np.arange(10), 4)  # ten prompts of four rows


@pytest.mark.parametrize("kind", ["random", "uncertain"])
@pytest.mark.parametrize(("budget", "rows", "prompts"), [(0.2, 8, 2), (0.25, 10, 3), (1.0, 40, 10)])
def test_the_budget_is_a_share_of_the_rows_in_as_few_prompts_as_hold_them(
    kind: str, budget: float, rows: int, prompts: int
) -> None:
    found = chosen(kind, budget, 1, QUESTION, lambda: torch.rand(40, generator=torch.Generator().manual_seed(0)))
    assert len(found) == rows and len(set(QUESTION[found])) == prompts
    assert (np.diff(found) > 0).all()


def test_the_prompts_whose_rows_are_worth_most_come_first() -> None:
    worth = torch.zeros(40)
    worth[QUESTION == 7] = 1.0
    worth[0] = 3.5  # one dear row among cheap ones: 3.5 / 4 on average
    assert chosen("uncertain", 0.1, 1, QUESTION, lambda: worth).tolist() == [28, 29, 30, 31]
    assert chosen("uncertain", 0.2, 1, QUESTION, lambda: worth).tolist() == [0, 1, 2, 3, 28, 29, 30, 31]


def test_another_seed_draws_other_prompts_and_the_same_seed_the_same() -> None:
    def draw(seed: int) -> list[int]:
        return chosen("random", 0.3, seed, QUESTION, lambda: torch.zeros(40)).tolist()

    assert draw(1) == draw(1) != draw(2)


def test_all_rows_are_all_rows() -> None:
    assert chosen("all", 1.0, 1, QUESTION, lambda: torch.zeros(40)).tolist() == list(range(40))
