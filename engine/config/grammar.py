"""Several values in one word: ``key=a,b,c``, ``seed=1..5``. Standard library only, because the cockpit uses it."""

from collections.abc import Iterator
from typing import get_origin

from engine.config.settings.tree import Setting
from engine.errors import ConfigError

LIMIT = 1000  # combinations of a grid; more is a typing error
OPEN, CLOSE, QUOTES = "[({", "])}", "'\""


def values_of(key: str, text: str, item: Setting | None, group: bool = False) -> list[str]:
    """The values of ``key=text``: split at commas outside brackets and quotes; ``1..5`` expands to whole numbers.

    ``group`` marks a choice of files. A free text is split only in parentheses: its commas belong to it. Raises
    ConfigError for a value given twice, and for a text that may be one list or several values.
    """
    kind = item.kind if item else str
    if not group and kind is str and not (item and item.meta.get("choices")):
        if not (text.startswith("(") and text.endswith(")")):
            return [text]
        text = text[1:-1]
    parts = [part.strip() for part in _split(text)]
    if get_origin(kind) is list and len(parts) > 1 and not all(part.startswith("[") for part in parts):
        raise ConfigError(
            f"'{text}' may be one list or {len(parts)} values",
            location=key,
            remedy=f"Write {key}=[{text}] for one list, or {key}=[..],[..] for one list per combination.",
        )
    found = [value for part in parts for value in (_expanded(part) if kind is int else [part])]
    if len(set(found)) < len(found):
        raise ConfigError(f"'{text}' has a value twice", location=key, remedy="Every combination is run once.")
    return found


def _split(text: str) -> Iterator[str]:
    depth, start, quote = 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES:
            quote = character
        elif character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth -= 1
        elif character == "," and depth <= 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]


def _expanded(text: str) -> list[str]:
    first, dots, last = text.partition("..")
    if not (dots and first.isdigit() and last.isdigit() and 0 <= int(last) - int(first) < LIMIT):
        return [text]
    return [str(value) for value in range(int(first), int(last) + 1)]
