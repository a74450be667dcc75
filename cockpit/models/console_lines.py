"""Lines of a console: which of them are faults, which belong to a traceback, and how long ones are shown."""

import re
from collections.abc import Sequence

from engine.report.tables import cells

TROUBLE = re.compile(r"(error|exception)\b|\b(traceback|fatal|failed|oom|killed|nan)\b", re.IGNORECASE)
WARNING = re.compile(r"\b(warn(ing)?|deprecated|retry|slow)\b", re.IGNORECASE)
TRACEBACK = "Traceback (most recent call last)"
RANK = re.compile(r"^\[rank\d+\]:\s?")  # written before each line by a training on several devices
LONGEST = 400  # lines of a traceback


def level(line: str) -> str:
    """The style of an error or a warning; empty for any other line."""
    return "bad" if TROUBLE.search(line) else "warn" if WARNING.search(line) else ""


def tracebacks(lines: Sequence[str]) -> list[range]:
    """The lines of every traceback, from its heading to the line that names the exception."""
    found = []
    start = -1
    for index, line in enumerate(lines):
        text = RANK.sub("", line)
        if TRACEBACK in line:
            start = index
        elif start >= 0 and (index - start >= LONGEST or (text.strip() and not text[:1].isspace())):
            found.append(range(start, index + 1))
            start = -1
    return found if start < 0 else [*found, range(start, len(lines))]


def faults(lines: Sequence[str]) -> list[int]:
    """Indices of lines with errors and warnings, and of whole tracebacks."""
    inside = {index for block in tracebacks(lines) for index in block}
    return [index for index, line in enumerate(lines) if index in inside or level(line)]


def last_fault(lines: Sequence[str]) -> range:
    """The lines of the last traceback, or the last line with an error; empty where there is none."""
    blocks = tracebacks(lines)
    if blocks:
        return blocks[-1]
    bad = next((index for index in reversed(range(len(lines))) if level(lines[index]) == "bad"), None)
    return range(0) if bad is None else range(bad, bad + 1)


def split_line(line: str, width: int) -> list[str]:
    """A line as parts of at most ``width`` cells."""
    if cells(line) <= width:
        return [line]
    parts, part, used = [], "", 0
    for sign in line:
        size = cells(sign)
        if used + size > width:
            parts.append(part)
            part, used = "", 0
        part += sign
        used += size
    return [*parts, part]


def beside(line: str, left: int, width: int) -> str:
    """``width`` cells of a line from character ``left`` on; signs mark what is cut on either side."""
    shown = line[left:]
    if left and line:
        shown = "‹" + shown[1:]
    if cells(shown) <= width:
        return shown
    while cells(shown) > width - 1:
        shown = shown[: max(width - 1, 0)] if shown.isascii() else shown[:-1]
    return shown + "›"
