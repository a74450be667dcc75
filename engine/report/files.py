"""Tables that a command writes to a file or, for ``-``, to stdout."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from engine.errors import UserError


def write(path: Path, fill: Callable[[IO[str]], int], example: str) -> None:
    """Have ``fill`` write its rows, which it counts. UserError where the file cannot be written."""
    if str(path) == "-":
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
