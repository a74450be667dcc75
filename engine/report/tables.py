"""Text in terminal cells: width, cutting, padding, wrapping, and tables whose columns line up.

Chinese, Japanese and Korean characters and most emoji take two cells, combining marks none. ``rich`` knows the widths;
it is imported at the first text that is not ASCII.
"""

import textwrap
from collections.abc import Sequence
from functools import lru_cache

WIDTH = 80  # cells of a report's line


def cells(text: str) -> int:
    """Terminal cells that a text takes."""
    return len(text) if text.isascii() else _cells(text)


@lru_cache(16384)  # frames, bars and old curves are drawn again in every frame
def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def column(text: str, size: int) -> str:
    """A table cell: ``size`` cells, cut with an ellipsis, left aligned."""
    text = short(text, size)
    return text + " " * (size - cells(text))


def right(text: str, size: int) -> str:
    """A table cell aligned to the right."""
    text = short(text, size)
    return " " * (size - cells(text)) + text


def short(text: str, size: int) -> str:
    """A text cut to ``size`` cells; an ellipsis marks the cut."""
    if cells(text) <= size:
        return text
    return resized(text, size - 1) + "…" if size > 1 else resized(text, max(size, 0))


def resized(text: str, size: int) -> str:
    """Exactly ``size`` cells: cut without a mark, or padded on the right."""
    if text.isascii():
        return text[:size].ljust(size)
    from rich.cells import set_cell_size

    return set_cell_size(text, size)


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under their names: the first one left aligned, the others right aligned, two spaces between them."""
    widths = [max(map(cells, texts)) for texts in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            (column if index == 0 else right)(cell, width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """An aligned table no wider than ``width``: columns that do not fit follow below, beside the first column again."""
    sizes = [max(cells(row[index]) for row in (header, *rows)) + 2 for index in range(len(header))]
    lines: list[str] = []
    left = list(range(1, len(header)))
    while left:
        count = 1
        while count < len(left) and sizes[0] + sum(sizes[index] for index in left[: count + 1]) <= width + 2:
            count += 1
        shown, left = [0, *left[:count]], left[count:]
        part = align([header[index] for index in shown], [[row[index] for index in shown] for row in rows])
        lines += [*([""] if lines else []), *part]
    return lines


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """The text in lines of at most ``width`` characters, all but the first indented."""
    return textwrap.wrap(text, width, subsequent_indent="  ")
