"""Console lines, with matches of a search, errors and warnings highlighted."""

import re
from collections.abc import Sequence

from cockpit.render.lines import Line, Lines, box

TROUBLE = re.compile(r"(error|exception)\b|\b(traceback|fatal|failed|oom|killed|nan)\b", re.IGNORECASE)
WARNING = re.compile(r"\b(warn(ing)?|deprecated|retry|slow)\b", re.IGNORECASE)


def level(line: str) -> str:
    """The style of an error or a warning; empty for any other line."""
    return "bad" if TROUBLE.search(line) else "warn" if WARNING.search(line) else ""


def styled(line: str, search: str = "", here: bool = False) -> Line:
    """A line with the matches of a search marked."""
    style = level(line)
    if not search:
        return [(line, style)]
    out: Line = []
    at, low, wanted = 0, line.lower(), search.lower()
    while len(low) == len(line) and (found := low.find(wanted, at)) >= 0:
        out += [(line[at:found], style), (line[found : found + len(search)], "select" if here else "mark")]
        at = found + len(search)
    return [*out, (line[at:], style)]


def tail(lines: Sequence[str], across: int, down: int, note: Line, focused: bool = False) -> Lines:
    """The last lines that fit."""
    shown = list(lines)[-max(0, down - 2) :] if lines else []
    body: Lines = [styled(line) for line in shown] or [[("nothing printed yet", "dim")]]
    return box([("console", "title"), *note], body, across, down, focused)
