"""DLLM2Rec's files, written and read back with their own numbering."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import DataError
from engine.knowledge import files
from engine.knowledge.rankings import Rankings


def rankings() -> Rankings:
    items = torch.tensor([[1, 4, 2], [3, 2, 1]], dtype=torch.int32)
    return Rankings(torch.tensor([1, 5]), items, torch.tensor([[0.1, 0.5, 2.0], [0.0, 1.0, 3.0]]))


def vectors() -> torch.Tensor:
    return torch.cat([torch.zeros(1, 3), torch.arange(12.0).view(4, 3)])


def test_the_files_are_as_dllm2rec_reads_them(tmp_path: Path) -> None:
    files.write(tmp_path, rankings(), vectors())
    assert np.loadtxt(tmp_path / files.RANKS).astype(int).tolist() == [[0, 3, 1], [2, 1, 0]]
    assert np.loadtxt(tmp_path / files.DISTANCES)[1].tolist() == [0.0, 1.0, 3.0]
    assert torch.load(tmp_path / files.VECTORS, weights_only=True).shape == (4, 3)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    files.write(tmp_path, rankings(), vectors())
    found, table = files.read(tmp_path, torch.tensor([1, 5]), 4)
    assert torch.equal(found.items, rankings().items) and torch.equal(table, vectors())
    torch.testing.assert_close(found.distances, rankings().distances)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (files.RANKS, "0 1 2\n", "one line for each training row"),
        (files.RANKS, "0 1 4\n0 1 2\n", r"outside 0\.\.3"),
        (files.RANKS, "a b\n", "not a table of numbers"),
        (files.VECTORS, "no pickle", "cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, file: str, text: str, says: str) -> None:
    files.write(tmp_path, rankings(), vectors())
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=says):
        files.read(tmp_path, torch.tensor([1, 5]), 4)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("boom",)

    files.write(tmp_path, rankings(), vectors())
    (tmp_path / files.VECTORS).write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(DataError, match="cannot be read"):
        files.read(tmp_path, torch.tensor([1, 5]), 4)
