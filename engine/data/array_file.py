"""Flat arrays in a safetensors file: mapped where they are read, written block by block. Without torch.

A mapping is copy-on-write: a reader loads the pages that it touches, processes share them, and what one writes into its
arrays stays its own, so that torch takes them without a copy. Letters: E elements.
"""

import json
import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

_NAMES: dict[str, np.dtype[Any]] = {"I64": np.dtype("<i8"), "I32": np.dtype("<i4")}
_LENGTH = 8  # bytes of the number that says how long the header is; the header is padded to a multiple of it


@dataclass(frozen=True)
class Blocks:
    """An array [E] that is made block by block while it is written."""

    dtype: np.dtype[Any]
    length: int
    blocks: Iterable[NDArray[Any]]

    def __len__(self) -> int:
        return self.length


def mapped(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the file at ``path`` by name. Raises DataError where it is not whole."""
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except ValueError as error:  # an empty file
            raise _damaged(path, "it is empty") from error
    begin = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    try:
        header = json.loads(content[_LENGTH:begin])
        return {name: _array(content, begin, **entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def write(path: Path, arrays: Mapping[str, "NDArray[Any] | Blocks"]) -> None:
    """The file that safetensors would write, without a copy of the arrays in memory. They are int64 or int32."""
    names = {dtype: name for name, dtype in _NAMES.items()}
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header, end = {}, 0
    for name in order:
        one = arrays[name]
        begin, end = end, end + len(one) * one.dtype.itemsize
        header[name] = {"dtype": names[one.dtype], "shape": [len(one)], "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    path.unlink(missing_ok=True)  # who has mapped the earlier file keeps it
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH, "little") + text)
        for name in order:
            one = arrays[name]
            for block in one.blocks if isinstance(one, Blocks) else (one,):
                file.write(np.ascontiguousarray(block).data)
        if file.tell() != _LENGTH + len(text) + end:
            raise ValueError("the blocks of an array are not as long as the array")


def _array(content: mmap.mmap, begin: int, dtype: str, shape: list[int], data_offsets: list[int]) -> NDArray[Any]:
    first, last = data_offsets
    kind = _NAMES[dtype]
    if (last - first) != shape[0] * kind.itemsize or begin + last > len(content):
        raise ValueError("it is cut short")
    return np.frombuffer(content, kind, shape[0], begin + first)


def _damaged(path: Path, cause: str) -> DataError:
    return DataError(
        f"the file of arrays is damaged: {cause}",
        location=str(path),
        remedy="Run the data stage again: engine run data.",
    )
