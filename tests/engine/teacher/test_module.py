"""Parts of a step, computed one after the other, are the whole step."""

import pytest
import torch
from torch import nn

from engine.teacher.module import StepSplit, accumulated


def test_gradients_of_parts_are_those_of_the_whole() -> None:
    torch.manual_seed(0)
    model, x, y = nn.Linear(4, 3).double(), torch.randn(6, 4).double(), torch.randn(6, 3).double()

    def loss(rows: slice) -> torch.Tensor:
        return (model(x[rows]) - y[rows]).square().mean()

    loss(slice(None)).backward()
    whole = [value.grad.clone() for value in model.parameters() if value.grad is not None]
    model.zero_grad()
    total = accumulated(lambda k: loss(slice(2 * k, 2 * k + 2)) / 3, 3, list(model.parameters()))
    total.backward()
    torch.testing.assert_close(total, loss(slice(None)))
    for value, expected in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(value.grad, expected)


def test_a_part_that_does_not_touch_a_parameter_leaves_it_without_a_gradient() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    accumulated(lambda k: (used * (k + 1)).sum(), 2, [used, unused]).backward()
    assert unused.grad is None and used.grad is not None and used.grad.tolist() == [3.0, 3.0]


def test_a_scaled_loss_scales_its_gradients() -> None:
    used = nn.Parameter(torch.ones(2))
    (accumulated(lambda k: used.sum(), 2, [used]) * 0.5).backward()
    assert used.grad is not None and used.grad.tolist() == [1.0, 1.0]


def test_parts_hold_no_graph_of_each_other() -> None:
    used = nn.Parameter(torch.ones(2))
    total = accumulated(lambda k: used.square().sum(), 2, [used])
    with torch.no_grad():
        used.mul_(100)  # saved activations would raise an error
    total.backward()
    assert used.grad is not None and used.grad.tolist() == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize(("pieces", "processes"), [(1, 1), (3, 1), (1, 2), (2, 3), (4, 4)])
def test_the_weighted_means_of_all_parts_average_to_the_mean_of_the_step(pieces: int, processes: int) -> None:
    torch.manual_seed(0)
    terms = [torch.randn(count) for count in (3, 1, 4, 1, 5, 9, 2)]  # of seven prompts
    whole, found, dealt = torch.cat(terms), [], []
    for rank in range(processes):
        split, total = StepSplit(pieces, rank, processes), torch.zeros(())
        for k in range(pieces):
            chosen = split(len(terms), k)
            own = torch.cat([terms[index] for index in chosen])
            weight = split.weight(len(own), len(whole), k, len(terms))
            total = total + weight * own.mean()
            dealt += chosen.tolist() if weight else []
        found.append(total)
    assert sorted(dealt) == list(range(7))
    torch.testing.assert_close(torch.stack(found).mean(), whole.mean())
