"""The first items of a row, with distances."""

import torch

from engine.knowledge.rankings import Rankings, top_items


def test_distances_are_those_of_the_softmax_over_unseen_items_in_float64(tmp_path) -> None:
    torch.manual_seed(0)
    queries, table, bias = torch.randn(3, 4), torch.randn(9, 4), torch.randn(9)
    seen = (torch.tensor([2, 5, 2]), torch.tensor([0, 0, 3]), torch.tensor([1, 3, 3]))
    items, distances = top_items(queries, table, bias, seen, 20)
    for row, hidden in enumerate(({2}, {2, 5}, set())):
        open_items = [item for item in range(1, 9) if item not in hidden]
        scores = queries[row].double() @ table[open_items].double().T + bias[open_items].double()
        expected = -torch.log_softmax(scores, dim=0)
        order = expected.argsort()
        assert items[row, : len(order)].tolist() == [open_items[k] for k in order]
        torch.testing.assert_close(distances[row, : len(order)].double(), expected[order], rtol=1e-5, atol=1e-6)
    assert items.shape == (3, 8)  # as many as there are


def test_what_was_saved_is_loaded_and_can_be_reduced(tmp_path) -> None:
    whole = Rankings(torch.tensor([1, 4]), torch.tensor([[3, 2], [1, 5]]), torch.rand(2, 2))
    whole.save(tmp_path / "rankings.safetensors")
    part = Rankings.load(tmp_path / "rankings.safetensors").some(torch.tensor([False, True]))
    assert part.rows.tolist() == [4] and part.items.tolist() == [[1, 5]]
