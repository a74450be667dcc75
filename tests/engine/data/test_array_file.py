"""Files of flat arrays: as safetensors writes them, mapped without being read."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from engine.data.array_file import Blocks, mapped, write
from engine.errors import DataError

LAST = """
import psutil, sys
from pathlib import Path
from engine.data.array_file import mapped
before = psutil.Process().memory_info().rss
arrays = mapped(Path(sys.argv[1]))
assert arrays["items"][-1] == 1
print(psutil.Process().memory_info().rss - before)
"""
arrays = st.dictionaries(
    st.sampled_from(["items", "offsets", "users", "start"]),
    st.tuples(st.sampled_from([np.int32, np.int64]), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20)),
    min_size=1,
)


@given(arrays)
def test_a_file_is_byte_for_byte_what_safetensors_writes(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, tuple[type, list[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    made = {name: np.array(values, dtype=kind) for name, (kind, values) in drawn.items()}
    write(folder / "ours", made)
    save_file(made, folder / "theirs")
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()
    for name, values in mapped(folder / "theirs").items():
        assert values.dtype == made[name].dtype and values.tolist() == made[name].tolist()


def test_an_array_is_written_block_by_block(tmp_path: Path) -> None:
    parts = [np.arange(3, dtype=np.int32), np.zeros(0, dtype=np.int32), np.arange(4, dtype=np.int32)[::2]]
    write(tmp_path / "a", {"items": Blocks(np.dtype(np.int32), 5, parts), "users": np.arange(2)})
    assert load_file(tmp_path / "a")["items"].tolist() == [0, 1, 2, 0, 2]
    with pytest.raises(ValueError, match="not as long"):
        write(tmp_path / "b", {"items": Blocks(np.dtype(np.int32), 6, parts)})


def test_a_mapped_array_becomes_a_tensor_without_a_warning_and_its_file_stays(tmp_path: Path) -> None:
    write(tmp_path / "a", {"items": np.arange(4, dtype=np.int32)})
    before = (tmp_path / "a").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = torch.from_numpy(mapped(tmp_path / "a")["items"])
    tensor += 1
    assert tensor.tolist() == [1, 2, 3, 4] and (tmp_path / "a").read_bytes() == before


def test_who_has_mapped_a_file_keeps_it_when_it_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "a", {"items": np.arange(4, dtype=np.int32)})
    earlier = mapped(tmp_path / "a")["items"]
    write(tmp_path / "a", {"items": np.zeros(1, dtype=np.int32)})
    assert earlier.tolist() == [0, 1, 2, 3] and mapped(tmp_path / "a")["items"].tolist() == [0]


def test_a_part_of_a_file_is_read_without_the_rest(tmp_path: Path) -> None:
    size = 1 << 26  # bytes
    write(tmp_path / "a", {"items": np.ones(size // 4, dtype=np.int32)})
    done = subprocess.run([sys.executable, "-c", LAST, str(tmp_path / "a")], check=True, capture_output=True, text=True)
    assert int(done.stdout) < size / 8


@pytest.mark.parametrize("left", [0, 5, 20, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, left: int) -> None:
    write(tmp_path / "a", {"items": np.arange(4, dtype=np.int32)})
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:left])
    with pytest.raises(DataError, match="damaged") as error:
        mapped(tmp_path / "a")
    assert error.value.location == str(tmp_path / "a")
