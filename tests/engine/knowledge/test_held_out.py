"""Held-out answers that an earlier version wrote are read under today's names."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from engine.evaluate.models import teacher_scores
from engine.knowledge.held_out import named


def test_an_earlier_name_becomes_todays_and_others_stay() -> None:
    assert named({"liking": 1, "items": 2, "gamma": 3}) == {"popularity": 1, "items": 2, "gamma": 3}
    assert named({"popularity": 1}) == {"popularity": 1}


def test_answers_of_either_name_give_the_same_scores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    common = {"test": torch.rand(3, 4), "items": torch.rand(6, 4), "gamma": torch.tensor(0.5)}
    found = []
    for name in ("liking", "popularity"):
        save_file(common | {name: torch.arange(6.0)}, tmp_path / name)
        found.append(teacher_scores(tmp_path / name, "test", 3, "cpu")(slice(0, 3)))
    assert torch.equal(*found)
