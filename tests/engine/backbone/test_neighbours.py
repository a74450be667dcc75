"""The items that are shown beside each other are those whose vectors point the same way."""

import numpy as np
import torch

from engine.backbone.neighbours import neighbours


def test_neighbours_are_those_of_a_loop_over_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(26, 5, generator=generator) * torch.tensor([1.0, 9.0, 0.1, 2.0, 1.0]) + 4
    titles = ["", *(f"title {number}" for number in range(1, 26))]
    items = vectors[1:].double().numpy()
    normal = (items - items.mean(0)) / items.std(0)
    shown = neighbours(vectors, titles)
    assert len(shown) == 10 and shown[0].startswith("title 1: ") and shown[-1].startswith("title 25: ")
    for line in shown:
        name, others = line.split(": ")
        one = normal[int(name.split()[1]) - 1]
        cosine = [float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)) for other in normal]
        expected = [f"title {index + 1}" for index in np.argsort(cosine)[::-1][1:4]]
        assert others.split(" | ") == expected


def test_a_catalogue_of_one_or_two_items_is_shown_as_far_as_it_goes() -> None:
    assert neighbours(torch.rand(2, 3), ["", "Iron Meadow"]) == ["Iron Meadow: "]
    assert neighbours(torch.rand(3, 3), ["", "Iron Meadow", "Old Salt"]) == [
        "Iron Meadow: Old Salt",
        "Old Salt: Iron Meadow",
    ]
