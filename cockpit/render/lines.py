"""Text with named styles: cut, pad, frame, wrap, place side by side.

A line is a list of (text, style name) pieces; the theme defines the styles. Widths are in terminal cells.
"""

import re
from collections.abc import Iterable, Sequence

from engine.report.tables import cells, resized

Piece = tuple[str, str]
Line = list[Piece]
Lines = list[Line]


def width(line: Line) -> int:
    return sum(cells(text) for text, _ in line)


def fit(line: Line, size: int) -> Line:
    """Exactly ``size`` cells: cut on the right or padded with blanks."""
    out: Line = []
    left = size
    for text, style in line:
        taken = cells(text)
        if taken > left:
            if left:
                out.append((resized(text, left), style))
            return out
        if text:
            out.append((text, style))
            left -= taken
    if left:
        out.append((" " * left, ""))
    return out


def ends(left: Line, end: Line, size: int) -> Line:
    """One text at each end of a line; the left one is cut, with an ellipsis, where both do not fit."""
    room = max(0, size - width(end))
    if width(left) > room > 2:
        left = [*fit(left, room - 2), ("… ", "")]
    return [*fit(left, room), *fit(end, min(width(end), size))]


def selected(line: Line, size: int) -> Line:
    """The line under the cursor: ``size`` cells in one style."""
    return [("".join(text for text, _ in fit(line, size)), "select")]


def block(lines: Iterable[Line], across: int, down: int) -> Lines:
    """Exactly ``down`` lines of ``across`` cells."""
    out = [fit(line, across) for line in list(lines)[:down]]
    return out + [[(" " * across, "")] for _ in range(down - len(out))]


def box(title: Line, lines: Iterable[Line], across: int, down: int, focused: bool = False) -> Lines:
    """Lines in a frame with a title: ``across`` x ``down`` cells, frame included."""
    style = "focus" if focused else "border"
    inside = max(0, across - 2)
    if focused:
        title = [(text, "here" if name == "title" else name) for text, name in title]
    head = fit(title, min(width(title), max(0, inside - 3)))
    used = width(head)
    if used:
        rest = inside - used - 3
        top: Line = [("╭─ ", style), *head, (" " + "─" * rest + "╮", style)]
    else:
        top = [("╭" + "─" * inside + "╮", style)]
    middle: Lines = [[("│", style), *line, ("│", style)] for line in block(lines, inside, max(0, down - 2))]
    return [fit(top, across), *middle, [("╰" + "─" * inside + "╯", style)]][: max(down, 0)]


def beside(parts: Sequence[Lines]) -> Lines:
    """Blocks of equal height, from left to right."""
    return [[piece for part in parts for piece in part[row]] for row in range(min(len(part) for part in parts))]


def overlay(under: Lines, over: Lines, top: int, left: int) -> Lines:
    """``under`` with ``over`` drawn on top of it at row ``top`` and cell ``left``."""
    out = list(under)
    for row, line in enumerate(over):
        if 0 <= top + row < len(out):
            size, span = width(out[top + row]), width(line)
            tail = _after(out[top + row], left + span)
            out[top + row] = fit([*fit(out[top + row], left), *line, *tail], size)
    return out


def _after(line: Line, start: int) -> Line:
    """The part of a line from cell ``start`` on; a wide character that is cut in two becomes a blank."""
    out: Line = []
    position = 0
    for text, style in line:
        size = cells(text)
        if position >= start:
            out.append((text, style))
        elif position + size > start:
            cut, gone = 0, 0
            while gone < start - position:
                gone += cells(text[cut])
                cut += 1
            out.append((" " * (position + gone - start) + text[cut:], style))
        position += size
    return out


def wrap(line: Line, size: int, indent: int = 2) -> Lines:
    """A line broken at blanks into lines of at most ``size`` cells; all but the first are indented."""
    if width(line) <= size:
        return [line]
    out: Lines = [[]]
    used = 0
    for text, style in line:
        for word in re.findall(r"\S+\s*|\s+", text):
            if used + cells(word.rstrip()) > size and used > indent:
                out.append([(" " * indent, "")])
                used = indent
            out[-1].append((word, style))
            used += cells(word)
    return out


def plain(lines: Iterable[Line]) -> str:
    """The text alone, without blanks at the ends of lines."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
