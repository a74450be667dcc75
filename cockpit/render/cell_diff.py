"""Sends only the cells that changed: compares a copy of the terminal's contents with the update that Textual made.

Textual sends every dirty span whole. Reading its updates needs two private classes, so the app disables this when
they have changed (``--no-cell-diff`` disables it by hand) and sends Textual's own bytes.
"""

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

GAP = 6  # up to this many unchanged cells are sent again: a cursor movement costs as many bytes

Unreadable = (AttributeError, TypeError, KeyError, IndexError, ValueError)  # what another version of Textual causes


class FrontBuffer:
    """The contents of the terminal: one character and one style code per cell.

    Equal codes are one object, so that rows are compared by pointers.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._texts: list[list[str]] = [[""] * width for _ in range(height)]  # "" equals nothing: always sent
        self._styles = [[""] * width for _ in range(height)]
        self._codes: dict[Style, str] = {}

    def patch(self, update: CompositorUpdate, console: Console) -> str:
        """The escape sequences that turn the contents of the terminal into those of ``update``."""
        out: list[str] = []
        if isinstance(update, LayoutUpdate):
            for row, strips in enumerate(update.strips, update.region.y):
                column = update.region.x
                for strip in strips:
                    self._row(out, row, column, strip, self.width, console)
                    column += strip.cell_length
        elif isinstance(update, ChopsUpdate):
            for row, left, right in update.spans:
                for end, (column, chop) in zip(update.chop_ends[row], update.chops[row].items(), strict=False):
                    if chop is not None and column <= right and end > left:
                        self._row(out, row, column, chop, min(end, max(right, column)), console)
        else:
            raise TypeError(f"an update of an unknown kind: {type(update).__name__}")
        return "".join(out)

    def _row(self, out: list[str], row: int, column: int, strip: Strip, stop: int, console: Console) -> None:
        texts: list[str] = []
        styles: list[str] = []
        for text, rich_style, control in strip:
            if control:
                continue
            style = self._code(rich_style, console)
            if len(text) != (len(text) if text.isascii() else cell_len(text)):
                for character in text:  # a wide character owns its first cell; the second holds nothing of its own
                    taken = cell_len(character)
                    if taken:
                        texts += [character, *["\0"] * (taken - 1)]
                        styles += [style] * taken
                    elif texts:
                        texts[-1] += character
            else:
                texts.extend(text)
                styles.extend([style] * len(text))
        count = min(len(texts), stop - column, self.width - column)
        if count <= 0 or not 0 <= row < self.height:
            return
        shown, shown_styles = self._texts[row], self._styles[row]
        end = column + count
        if shown[column:end] == texts[:count] and shown_styles[column:end] == styles[:count]:
            return
        pairs = zip(shown[column:end], texts, shown_styles[column:end], styles, strict=False)
        changed = [i for i, (old, new, was, now) in enumerate(pairs) if old != new or was != now or new == "\0"]
        at = 0
        while at < len(changed):
            first = last = changed[at]
            while at + 1 < len(changed) and changed[at + 1] - last <= GAP:
                at += 1
                last = changed[at]
            at += 1
            while first > 0 and texts[first] == "\0":  # never begin in the middle of a wide character
                first -= 1
            out.append(f"\x1b[{row + 1};{column + first + 1}H")
            _run(out, texts[first : last + 1], styles[first : last + 1])
        shown[column:end] = texts[:count]
        shown_styles[column:end] = styles[:count]

    def _code(self, style: Style | None, console: Console) -> str:
        if style is None:
            return ""
        code = self._codes.get(style)
        if code is None:
            depth = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT}.get(
                console.color_system or "", ColorSystem.TRUECOLOR
            )
            code = self._codes[style] = Strip.render_ansi(style, depth)
        return code


def _run(out: list[str], texts: list[str], styles: list[str]) -> None:
    """Cells side by side, with one change of style for each run of equal ones."""
    at = 0
    code = ""
    while at < len(texts):
        code = styles[at]
        stop = at + 1
        while stop < len(texts) and styles[stop] == code:
            stop += 1
        out.append(f"\x1b[0;{code}m" if code else "\x1b[m")
        out.append("".join(texts[at:stop]).replace("\0", ""))
        at = stop
    if code:
        out.append("\x1b[m")
