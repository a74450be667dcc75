"""Console lines, with matches of a search, errors and warnings highlighted."""

from collections.abc import Sequence

from cockpit.models.console_lines import level
from cockpit.render.lines import Line, Lines, box


def styled(line: str, search: str = "", here: bool = False) -> Line:
    """A line with the matches of a search marked; ``here``: it is the current line."""
    style = level(line)
    if not search:
        return [(line, "select" if here else style)]
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
