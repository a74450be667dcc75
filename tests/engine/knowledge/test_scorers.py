"""What follows from query vectors: ranks, first items and distances, for both objectives."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.config import load
from engine.config.settings.knowledge import KnowledgeSettings
from engine.data.sequences import Rows
from engine.knowledge.scorers import Scorer, catalogue_scorer, generative_scorer
from engine.metrics import grounding, ranking
from engine.teacher.prompting.spans import heldout_spans
from tests.fixtures.tiny_teacher import ITEMS, Tiny
from tests.fixtures.tiny_teacher import tiny as tiny

SEEN = [[3, 5], [], [1, 2, 4]]  # of each row


def settings(**changes: object) -> KnowledgeSettings:
    return replace(load([]).knowledge, **({"top": 4} | changes))


def histories() -> ranking.Histories:
    stop = np.cumsum([len(row) for row in SEEN])
    items, start = np.array([item for row in SEEN for item in row]), stop - [len(row) for row in SEEN]
    return ranking.on_device(items, start, stop, "cpu")


def generative(tiny: Callable[[], Tiny], text: torch.Tensor, popularity: torch.Tensor | None, gamma: float) -> Scorer:
    setup = tiny().setup(settings=load(["teacher=generate", "teacher.generate.candidates=3"]).teacher)
    return generative_scorer(setup, settings(), text, "tokens", 8, popularity, gamma)


def catalogue(tiny: Callable[[], Tiny]) -> tuple[Scorer, torch.Tensor]:
    scorer = catalogue_scorer(tiny().setup(), settings())
    return scorer, torch.randn(3, scorer.width, generator=torch.Generator().manual_seed(1))


def loop_ranks(scores: torch.Tensor, targets: list[int], seen: list[list[int]]) -> list[float]:
    """1 + items above the target + half of those beside it."""
    found = []
    for row, target, hidden in zip(scores.double().tolist(), targets, seen, strict=True):
        others = [row[item] for item in range(1, ITEMS + 1) if item != target and item not in hidden]
        found.append(1 + sum(s > row[target] for s in others) + 0.5 * sum(s == row[target] for s in others))
    return found


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("kind", ["catalogue", "generative"])
def test_ranks_are_those_of_a_loop_over_the_scores(tiny: Callable[[], Tiny], kind: str, hidden: bool) -> None:
    text = torch.randn(ITEMS + 1, 6, generator=torch.Generator().manual_seed(2))
    if kind == "catalogue":
        scorer, queries = catalogue(tiny)
        bias = scorer.stored.get("bias", torch.zeros(ITEMS + 1))
        scores = queries.double() @ scorer.stored["table"].double().T + bias.double()
    else:
        scorer = generative(tiny, text, torch.arange(ITEMS + 1.0), 0.5)
        queries = torch.randn(3, 6, generator=torch.Generator().manual_seed(3))
        distance = torch.cdist(queries.double(), text[1:].double())
        least, most = distance.amin(1, keepdim=True), distance.amax(1, keepdim=True)
        popularity = (torch.arange(1, ITEMS + 1.0) - 1) / (ITEMS - 1)
        scores = torch.cat([torch.zeros(3, 1), -((distance - least) / (most - least)) / (1 + popularity) ** 0.5], dim=1)
    found = scorer.ranks(queries, torch.tensor([7, 8, 9]), histories() if hidden else None)
    assert found.tolist() == loop_ranks(scores, [7, 8, 9], SEEN if hidden else [[]] * 3)


def test_the_first_items_are_unseen_in_the_order_of_their_ranks_with_minus_log_p_as_distance(
    tiny: Callable[[], Tiny],
) -> None:
    scorer, queries = catalogue(tiny)
    items, distances = scorer.first(queries, histories(), None)
    scores = scorer.scores(queries).double()
    for row, own in enumerate(items.tolist()):
        assert not set(own) & set(SEEN[row]) and len(set(own)) == 4
        unseen = [scores[row, item].item() for item in range(1, ITEMS + 1) if item not in SEEN[row]]
        total = math.log(sum(math.exp(score) for score in unseen))
        assert distances[row].tolist() == pytest.approx([total - scores[row, item].item() for item in own], abs=1e-4)
        for rank, item in enumerate(own, 1):
            targets = torch.tensor([item] * 3)
            assert scorer.ranks(queries, targets, histories())[row].item() == rank


def test_scores_that_are_added_count_in_ranks_and_first_items(tiny: Callable[[], Tiny]) -> None:
    scorer, queries = catalogue(tiny)
    far = torch.zeros(3, ITEMS + 1)
    far[:, 11] = 1e4

    def added(block: slice) -> torch.Tensor:
        return far[block]

    assert scorer.ranks(queries, torch.tensor([11, 11, 11]), None, added).tolist() == [1, 1, 1]
    assert scorer.first(queries, None, added)[0][:, 0].tolist() == [11, 11, 11]


def test_a_prompt_that_goes_on_behind_its_history_predicts_one_row(tiny: Callable[[], Tiny]) -> None:
    own = settings(targets=5)
    assert catalogue_scorer(tiny().setup("Seen [HistoryHere]"), own).targets == 5
    assert catalogue_scorer(tiny().setup("Seen [HistoryHere]. Next:"), own).targets == 1


def test_a_generated_title_finds_the_nearest_items_that_were_not_seen(tiny: Callable[[], Tiny]) -> None:
    text = torch.arange(ITEMS + 1.0)[:, None] * torch.ones(1, 2)  # item i at (i, i)
    scorer = generative(tiny, text, None, 0.0)
    items, distances = scorer.first(text[[4, 9, 3]] + 0.1, histories(), None)
    assert items.tolist() == [[4, 6, 2, 7], [9, 10, 8, 11], [3, 5, 6, 7]]
    assert (distances.diff(dim=1) > 0).all() and distances.min() >= 0 and distances.max() <= 1


def test_a_batch_of_titles_gives_signs_of_life_while_it_is_written(tiny: Callable[[], Tiny]) -> None:
    scorer, made = generative(tiny, torch.randn(ITEMS + 1, 6), None, 0.0), tiny()
    rows = Rows(made.data.items, np.array([0, 0]), np.array([2, 3]), np.arange(2))
    states, reports = made.student.after_rows(rows, torch.device("cpu"), lambda *_: None), list[int]()
    scorer.queries(heldout_spans(rows, 3), states, np.arange(2), lambda done, total: reports.append(done))
    assert reports.count(0) > 1 and reports[-1] == 2


def test_popular_items_come_nearer_as_gamma_says_and_what_is_stored_gives_the_same_scores(
    tiny: Callable[[], Tiny],
) -> None:
    text = torch.arange(ITEMS + 1.0)[:, None] * torch.ones(1, 2)
    popularity = torch.zeros(ITEMS + 1)
    popularity[8] = 100.0
    query = text[[2, 2, 2]] + 0.1
    plain, pulled = (generative(tiny, text, popularity, gamma).first(query, None, None)[0] for gamma in (0.0, 30.0))
    assert plain[0].tolist() == [2, 3, 1, 4] and 8 in pulled[0].tolist()[:2]
    scorer = generative(tiny, text, popularity, 30.0)
    stored = scorer.stored
    again = grounding.scores(query, stored["items"], stored["popularity"], float(stored["gamma"]))
    assert torch.equal(scorer.scores(query), again) and scorer.width == 2 and scorer.targets == 1
