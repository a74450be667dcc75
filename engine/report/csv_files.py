"""CSV: the one writer of tables, and files that a command fills or, for ``-``, stdout."""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from engine.errors import UserError
from engine.runs.text import csv_safe


def cell(value: object, digits: int | None = None) -> str:
    """Floats with ``digits`` significant digits, or all of theirs; nothing for None; texts no spreadsheet executes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if digits is None else f"{value:.{digits}g}"
    return csv_safe(str(value))


def write_rows(
    file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]], digits: int | None = None
) -> int:
    """Write the header and the rows, cell by cell; returns the number of rows."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    count = 0
    for row in rows:
        table.writerow([cell(value, digits) for value in row])
        count += 1
    return count


def write(path: Path, fill: Callable[[IO[str]], int], example: str) -> None:
    """Have ``fill`` write its rows and return their number. UserError where the file cannot be written."""
    if str(path) == "-":
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # the same bytes as in a file
        fill(sys.stdout)
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            count = fill(file)
    except OSError as error:
        raise UserError(
            f"the table cannot be written: {error.strerror}",
            location=str(path),
            remedy=f"Choose a file in a folder that exists and has room: {example} --csv FILE",
        ) from error
    print(f"{count} rows in {path}", file=sys.stderr)
