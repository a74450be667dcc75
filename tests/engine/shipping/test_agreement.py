from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import RunError
from engine.recommend.histories import Histories
from engine.shipping import agreement
from engine.shipping.onnx_file import Answer
from engine.shipping.ranking_graph import RankingGraph
from engine.student.model import SequenceModel
from tests.engine.shipping.conftest import student
from tests.fixtures.students import sequences_of

Change = Callable[[Answer], Answer]
ONLY = 34  # the one item of the first history


def answers(model: SequenceModel, change: Change = lambda found: found) -> Callable[[NDArray[np.int64]], Answer]:
    graph = RankingGraph(model, 5, True)

    @torch.no_grad()
    def answer(history: NDArray[np.int64]) -> Answer:
        items, scores, users = graph(torch.from_numpy(history))
        return change((items.numpy(), scores.numpy(), users.numpy()))

    return answer


def test_a_graph_of_the_same_model_agrees(some: Histories) -> None:
    model = student("sasrec")
    found = agreement.compare(answers(model), model, some, True)
    assert found.close and found.rows == len(some.users)
    agreement.require(found, "model.onnx")


def another_item(found: Answer) -> Answer:
    items = found[0].copy()
    items[1, 2] = next(item for item in range(1, 41) if item not in items[1])
    return items, found[1], found[2]


def a_seen_item(found: Answer) -> Answer:
    items = found[0].copy()
    items[0, 0] = ONLY
    return items, found[1], found[2]


@pytest.mark.parametrize(
    "change",
    [
        another_item,
        a_seen_item,
        lambda found: (found[0], found[1] + 0.01, found[2]),
        lambda found: (found[0], found[1] * np.nan, found[2]),
        lambda found: (found[0], found[1], found[2] + 0.01),
        lambda found: (np.roll(found[0], 1, axis=0), found[1], found[2]),
    ],
)
def test_a_wrong_list_score_or_vector_is_refused(some: Histories, change: Change) -> None:
    model = student("sasrec")
    assert some.items[:1].tolist() == [ONLY] and some.offsets[1] == 1
    found = agreement.compare(answers(model, change), model, some, True)
    with pytest.raises(RunError, match="was not written"):
        agreement.require(found, "model.onnx")


def test_the_compared_histories_are_spread_over_all_users() -> None:
    sequences = sequences_of([[user % 40 + 1] * (1 + user % 3) for user in range(50)])
    some = agreement.some_histories(sequences, 5)
    assert some.users == ["0", "12", "24", "37", "49"]
    assert np.diff(some.offsets).tolist() == [1, 1, 1, 2, 2]
    assert len(agreement.some_histories(sequences).users) == 50
