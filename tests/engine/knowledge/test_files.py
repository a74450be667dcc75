"""DLLM2Rec's files, written and read back with their own numbering."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data.sequences import Sequences
from engine.errors import DataError
from engine.knowledge import files
from engine.knowledge.rankings import Rankings

DATA = Sequences(np.asarray([1, 2, 3, 4, 1], dtype=np.int32), np.asarray([0, 3, 5]), np.arange(2))  # rows 1, 2 and 4


def rankings() -> Rankings:
    items = torch.tensor([[3, 4, 2], [4, 2, 1], [3, 2, 1]], dtype=torch.int32)
    return Rankings(torch.tensor([1, 2, 4]), items, torch.tensor([[0.1, 0.5, 2.0], [0.2, 0.3, 0.4], [0.0, 1.0, 3.0]]))


def vectors() -> torch.Tensor:
    return torch.cat([torch.zeros(1, 3), torch.arange(12.0).view(4, 3)])


def test_the_files_are_as_dllm2rec_reads_them(tmp_path: Path) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    assert np.loadtxt(tmp_path / files.RANKS).astype(int).tolist() == [[2, 3, 1], [3, 1, 0], [2, 1, 0]]
    assert np.loadtxt(tmp_path / files.DISTANCES)[2].tolist() == [0.0, 1.0, 3.0]
    assert torch.load(tmp_path / files.VECTORS, weights_only=True).shape == (4, 3)
    lines = (tmp_path / files.ROWS).read_text().splitlines()
    assert lines[0] == "seq,len_seq,next"
    assert lines[2] == '"[0, 1, 4, 4, 4, 4, 4, 4, 4, 4]",2,2'


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    found, table = files.read(tmp_path, DATA, 4)
    assert torch.equal(found.rows, rankings().rows) and torch.equal(table, vectors())
    assert torch.equal(found.items, rankings().items)
    torch.testing.assert_close(found.distances, rankings().distances)


def lines(path: Path, order: list[int], header: bool) -> None:
    whole = path.read_text().splitlines()
    head, body = whole[:header], whole[header:]
    path.write_text("\n".join([*head, *(body[k] for k in order)]) + "\n")


@pytest.mark.parametrize("order", [[2, 0, 1], [1], [0, 0, 2]])
def test_lines_in_another_order_or_for_some_rows_are_found_by_their_content(tmp_path: Path, order: list[int]) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    for name in (files.RANKS, files.DISTANCES, files.ROWS):
        lines(tmp_path / name, order, name == files.ROWS)
    found, _ = files.read(tmp_path, DATA, 4)
    assert found.rows.tolist() == [rankings().rows.tolist()[k] for k in sorted(set(order))]
    assert torch.equal(found.items, rankings().items[sorted(set(order))])


def test_without_the_rows_a_line_for_every_prefix_is_taken_in_order_and_first_events_are_passed_over(
    tmp_path: Path,
) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    (tmp_path / files.ROWS).unlink()
    found, _ = files.read(tmp_path, DATA, 4)
    assert torch.equal(found.items, rankings().items)
    for name in (files.RANKS, files.DISTANCES):
        lines(tmp_path / name, [0, 0, 1, 0, 2], False)  # a user's first event is a row of its own in the published data
    found, _ = files.read(tmp_path, DATA, 4)
    assert torch.equal(found.items, rankings().items) and found.rows.tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (files.RANKS, "0 1 2\n", "one line for each training row"),
        (files.RANKS, "0 1 4\n0 1 2\n0 1 2\n", r"(?s)txt:1: .*whole number of 0\.\.3"),
        (files.RANKS, "0 1 2\n0 1 1.5\n0 1 2\n", r"txt:2: .*whole number"),
        (files.RANKS, "0 1 2\n0 1 2\n0 1 1\n", r"(?s)txt:3: an item is ranked twice.*not their ranks"),
        (files.RANKS, "a b\n", "not a table of numbers"),
        (files.RANKS, "", "is empty"),
        (files.DISTANCES, "0 1 2\n0 nan 2\n0 1 2\n", "txt:2: a distance is not a number"),
        (files.DISTANCES, "3 1 0\n3 1 0\n0 1 2\n", "(?s)begin with their greatest.*Smaller is surer"),
        (files.VECTORS, "no pickle", "cannot be read"),
        (files.ROWS, "seq,next\n", "columns are not seq, len_seq, next"),
        (files.ROWS, 'seq,len_seq,next\n"[0, 1]",2,2\n', "csv:2: this is not 10 ids"),
        (files.ROWS, 'seq,len_seq,next\n"[0,4,4,4,4,4,4,4,4,4]",1,1\n', "3 lines for the 1 rows"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt:UserWarning")
def test_files_that_do_not_fit_are_refused(tmp_path: Path, file: str, text: str, says: str) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=says):
        files.read(tmp_path, DATA, 4)


def test_rows_of_other_data_are_refused_with_the_way_to_the_right_ones(tmp_path: Path) -> None:
    files.write(tmp_path, rankings(), vectors(), DATA)
    other = Sequences(DATA.items[::-1].copy(), DATA.offsets, DATA.users)
    with pytest.raises(DataError, match=r"(?s)match no training row, the first of them line 1.*engine export"):
        files.read(tmp_path, other, 4)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("boom",)

    files.write(tmp_path, rankings(), vectors(), DATA)
    (tmp_path / files.VECTORS).write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(DataError, match="cannot be read"):
        files.read(tmp_path, DATA, 4)
