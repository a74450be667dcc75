"""Makes foreign text (titles, names, logs) safe to show on a terminal and to open in a spreadsheet.

Everything that is read from a run folder or a data set passes ``clean`` before it is shown.
"""

import re
from typing import Any

# ECMA-48 in its 7-bit (ESC + letter) and 8-bit (C1) forms. A string sequence that is never closed reaches to the end.
_CONTROL_SEQUENCE = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
_CONTROL_STRING = r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"
_OTHER_ESCAPE = r"\x1b[ -/]*[0-~]?"
_ESCAPES = re.compile(rf"{_CONTROL_STRING}|{_CONTROL_SEQUENCE}|{_OTHER_ESCAPE}", re.DOTALL)
_OVERWRITTEN = re.compile(r"[^\n]*\r")
_SPACES = re.compile(r"[\t\n\v\f\x85\u2028\u2029]")
# C0, DEL, C1; marks, embeddings, overrides and isolates of the bidirectional algorithm; halves of surrogate pairs.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def clean(text: str, limit: int = 2000) -> str:
    """``text`` as one line without terminal control; at most ``limit`` characters.

    Escape sequences are removed, of an overwritten line (a progress bar) the last state stays, breaks and tabs become
    spaces, any other control character becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text[:limit]
    text = text[: limit * 8].replace("\r\n", "\n").rstrip("\r\n")
    text = _OVERWRITTEN.sub("", text)
    text = _SPACES.sub(" ", _ESCAPES.sub("", text))
    return _INVISIBLE.sub("\ufffd", text)[:limit]


def clean_lines(text: str, limit: int = 8000) -> str:
    """``text`` with every line cleaned and the line breaks kept; at most ``limit`` characters."""
    return "\n".join(clean(line) for line in text[: limit * 2].replace("\r\n", "\n").split("\n"))[:limit]


def clean_values(value: Any) -> Any:
    """A record as JSON gave it with every text in it cleaned, keys included; line breaks inside texts are kept."""
    if isinstance(value, str):
        return clean_lines(value)
    if isinstance(value, dict):
        return {clean(key): clean_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_values(item) for item in value]
    return value


def csv_safe(cell: str) -> str:
    """A text cell that a spreadsheet shows instead of executing: a formula is preceded by an apostrophe."""
    if cell.lstrip(" ").startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell
