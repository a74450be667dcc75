"""A step on static tensors: what a processor does in the place of a graph, and what a GPU replays."""

import pytest
import torch

from engine.errors import UserError
from engine.training.executors import DirectExecutor, GraphExecutor


def test_the_stand_in_repeats_the_first_work_of_a_key_as_a_graph_would() -> None:
    execute, static = DirectExecutor(), torch.tensor(1.0)
    assert execute("a", lambda: static * 2) == 2.0
    static.fill_(5.0)
    assert execute("a", lambda: torch.tensor(0.0)) == 10.0  # a host value that another step would have had is not seen
    assert execute("b", lambda: static * 3) == 15.0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_replayed_graph_reads_and_changes_static_tensors_and_goes_on_with_the_random_numbers() -> None:
    device = torch.device("cuda")
    own = torch.Generator(device)

    def results(replayed: bool) -> list[list[float]]:
        torch.cuda.manual_seed(3)
        execute = GraphExecutor(device, [own])
        static, total = torch.zeros(4, device=device), torch.zeros(4, device=device)

        def work() -> torch.Tensor:
            total.add_(torch.nn.functional.dropout(static, 0.5))
            return total + torch.rand(4, generator=own, device=device)

        found = []
        for step in range(6):
            static.fill_(step + 1.0)
            own.manual_seed(step)
            found.append((execute("key", work) if replayed else work()).tolist())
        return found

    assert results(True) == results(False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_work_that_reads_a_value_back_is_refused_with_the_remedy() -> None:
    execute, static = GraphExecutor(torch.device("cuda"), []), torch.ones(1, device="cuda")
    assert execute("key", lambda: static.item()) == 1.0
    with pytest.raises(UserError, match=r"(?s)could not be captured.*trainer.cuda_graph=false"):
        execute("key", lambda: static.item())
