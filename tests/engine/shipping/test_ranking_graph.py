import pytest
import torch

from engine.recommend.histories import Histories
from engine.recommend.recommendations import best_items
from engine.shipping.agreement import padded
from engine.shipping.ranking_graph import RankingGraph
from engine.shipping.vectors import vector_table
from tests.engine.shipping.conftest import ITEMS, student

NETWORKS = ("sasrec", "sasrec-reference", "gru4rec", "caser")


@pytest.mark.parametrize("hide", [True, False])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("kind", NETWORKS)
def test_the_graph_lists_what_the_engine_recommends(some: Histories, kind: str, right: bool, hide: bool) -> None:
    model = student(kind)
    with torch.no_grad():
        items, scores, _ = RankingGraph(model, 5, hide)(torch.from_numpy(padded(some, slice(None), right)))
    for own, numbers, expected in zip(items, scores, best_items(model, some, 5, hide), strict=True):
        assert own.tolist()[: len(expected)] == [item for item, _ in expected]
        assert numbers.tolist()[: len(expected)] == pytest.approx([score for _, score in expected], abs=1e-5)
        assert own.tolist()[len(expected) :] == [0] * (5 - len(expected))


def test_padding_inside_a_history_changes_nothing() -> None:
    graph = RankingGraph(student("sasrec"), 3, True)
    with torch.no_grad():
        whole, holed = graph(torch.tensor([[4, 9, 2, 0, 0]])), graph(torch.tensor([[0, 4, 0, 9, 2]]))
    for one, other in zip(whole, holed, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", ["sasrec", "sasrec-reference"])
def test_a_score_is_the_product_of_the_users_vector_and_the_items(kind: str) -> None:
    model = student(kind)
    with torch.no_grad():
        items, scores, users = RankingGraph(model, ITEMS, False)(torch.tensor([[3, 8], [5, 0]]))
        products = (vector_table(model)[items] * users[:, None]).sum(dim=2)
    torch.testing.assert_close(products, scores, atol=1e-5, rtol=1e-5)


def test_a_list_is_never_longer_than_the_catalogue() -> None:
    items, _, _ = RankingGraph(student("sasrec"), 1000, False)(torch.tensor([[3]]))
    assert sorted(items[0].tolist()) == list(range(1, ITEMS + 1))
