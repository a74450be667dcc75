"""Tables in pieces: folders of files, as Spark, Dask and BigQuery write them. Standard library only."""

import re
from collections.abc import Iterable
from pathlib import Path

from engine.data.layouts import PACKED, TABLES

_NUMBER = re.compile(r"(\d+)")
COUNTED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")  # what tells pieces apart: a UUID, or a number
_PARTITION = re.compile(r"[^=]+=.*")  # a folder that holds the rows of one value of a column


def unpacked(name: str) -> str:
    """A file's name without what packs it."""
    return next((name.removesuffix(suffix) for suffix in PACKED if suffix and name.endswith(suffix)), name)


def is_table(path: Path) -> bool:
    """Whether the name is one of a table."""
    return unpacked(path.name).endswith(TABLES) and not hidden(path)


def hidden(path: Path) -> bool:
    """Files that systems and programs leave beside the data: ``._x.csv``, ``.x.crc``, ``_SUCCESS``."""
    return path.name.startswith((".", "_"))


def in_order(paths: Iterable[Path]) -> list[Path]:
    """By name, and by number inside a name: part-2 before part-10."""
    return sorted(paths, key=lambda path: [(text, int(number or 0)) for text, number in _numbered(str(path))])


def alike(paths: Iterable[Path]) -> bool:
    """Whether names differ in their numbers alone: the pieces of one table."""
    return len({COUNTED.sub("#", path.name) for path in paths}) == 1


def pieces_of(folder: Path) -> tuple[Path, ...]:
    """The files of a table that is a folder, also below folders called ``column=value``; none where it is no table."""
    found = [path for path in folder.iterdir() if not hidden(path)]
    below = [path for path in found if path.is_dir() and _PARTITION.fullmatch(path.name)]
    own = [path for path in found if path.is_file() and is_table(path)]
    if below:
        own += [piece for path in below for piece in pieces_of(path)]
    return tuple(in_order(own)) if own and (below or alike(own)) else ()


def partition(path: Path, folder: Path) -> dict[str, str]:
    """Values of the columns that the folders between ``folder`` and a piece stand for."""
    names = path.relative_to(folder).parts[:-1] if path.is_relative_to(folder) else ()
    return dict(name.split("=", 1) for name in names if "=" in name)


def _numbered(text: str) -> list[tuple[str, str]]:
    parts = [*_NUMBER.split(text), ""]
    return list(zip(parts[::2], parts[1::2], strict=True))
