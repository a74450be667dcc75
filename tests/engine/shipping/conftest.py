"""Small students of every network, and histories for them."""

import contextlib
import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import config
from engine.cli import main
from engine.recommend.histories import Histories
from engine.student.model import SequenceModel
from tests.fixtures.extras import need_onnx

ITEMS, LENGTH = 40, 6


def histories(*lists: list[int]) -> Histories:
    """Histories of these item ids."""
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    return Histories([""] * len(lists), np.array([i for one in lists for i in one], dtype=np.int32), offsets, [])


def student(kind: str, *overrides: str) -> SequenceModel:
    """A random student of a network; its norms, biases and vectors are no special case."""
    heights = ["student.heights=[2,3]"] if kind == "caser" else []
    words = [f"student={kind}", "student.hidden=8", f"student.max_length={LENGTH}", *heights, *overrides]
    torch.manual_seed(3)
    model = SequenceModel(ITEMS, config.load(words).student)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.3 * torch.randn_like(value)
    return model.eval()


@dataclass(frozen=True)
class Exported:
    """What ``engine export model`` wrote and printed."""

    folder: Path  # which holds DIR
    out: str
    err: str


@pytest.fixture(scope="session")
def exported(seven_stages: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The distilled student as an ONNX file that lists five items."""
    need_onnx()
    folder, out, err = tmp_path_factory.mktemp("exported"), io.StringIO(), io.StringIO()
    words = ["export", "model", "distill", "--to", "DIR", "--runs", str(seven_stages), "--count", "5"]
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        assert main(words) == 0
    return Exported(folder, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def some() -> Histories:
    """Short, long, repeated and empty histories."""
    draw = np.random.default_rng(2)
    lists = [draw.integers(1, ITEMS + 1, length).tolist() for length in (1, 2, 5, 6, 7, 13, 3, 1)]
    return histories(*lists, [], list(range(1, ITEMS)))
