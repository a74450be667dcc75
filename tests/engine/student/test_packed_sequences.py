"""Flat positions and their cells in the padded grid."""

import torch

from engine.student.packed_sequences import dense, of_histories, ragged

LENGTHS = torch.tensor([2, 0, 3])


def test_positions_lie_in_the_cells_of_their_histories_and_come_back() -> None:
    packed, rows = ragged(LENGTHS, 4)
    assert rows.tolist() == [0, 0, 2, 2, 2] and packed.order.tolist() == [0, 1, 0, 1, 2]
    flat = torch.arange(1.0, 11.0).view(5, 2)
    grid = packed.grid(flat)
    assert grid[:, :, 0].tolist() == [[1, 3, 0, 0], [0, 0, 0, 0], [5, 7, 9, 0]]
    assert torch.equal(packed.flat(grid), flat)


def test_in_a_dense_packing_every_cell_is_a_position() -> None:
    packed = dense(2, 3, torch.device("cpu"))
    assert packed.order.tolist() == [0, 1, 2, 0, 1, 2]
    flat = torch.arange(12.0).view(6, 2)
    assert torch.equal(packed.grid(flat), flat.view(2, 3, 2)) and torch.equal(packed.flat(packed.grid(flat)), flat)


def test_padding_on_either_side_packs_to_the_same() -> None:
    left, right = torch.tensor([[0, 0, 5], [4, 3, 2]]), torch.tensor([[5, 0, 0], [4, 3, 2]])
    (one, real), (other, _) = of_histories(left), of_histories(right)
    assert torch.equal(left[real], torch.tensor([5, 4, 3, 2])) and one.longest == 3
    assert torch.equal(one.order, other.order) and torch.equal(one.cells, other.cells)  # type: ignore[arg-type]


def test_no_histories_and_empty_ones_have_a_grid_too() -> None:
    for history in (torch.zeros(0, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.long)):
        packed, _ = of_histories(history)
        assert (packed.rows, packed.longest, len(packed.order)) == (len(history), 1, 0)
