"""Lines as an SVG picture that looks the same with every font: dots, blocks and frames are drawn, not written."""

from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby

from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from cockpit.render.lines import Lines
from engine.report.tables import cells

WIDE, HIGH, FONT = 8.4, 18.0, 14.0  # pixels of a cell, and of the letters
EDGE = 12.0  # pixels around the text
DIM = [(60, 64, 68), (205, 49, 49), (13, 188, 121), (229, 229, 16), (36, 114, 200), (188, 63, 188), (17, 168, 205)]
BRIGHT = [(120, 124, 128), (241, 76, 76), (35, 209, 139), (245, 245, 67), (59, 142, 234), (214, 112, 214)]
THEME = TerminalTheme(
    (16, 20, 24), (208, 212, 216), [*DIM, (229, 229, 229)], [*BRIGHT, (41, 184, 219), (255, 255, 255)]
)
# Halves of a cell that a frame's sign joins: left, right, up, down.
FRAMES = {"─": "lr", "│": "ud", "┊": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "└": "ru", "┘": "lu"}
FRAMES |= {"┤": "lud", "├": "rud", "┄": "lr"}
ENDS = {"l": (-0.5, 0.0), "r": (0.5, 0.0), "u": (0.0, -0.5), "d": (0.0, 0.5)}
DASHED = "┊┄"
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
BARS = {sign: (at + 1) / 8 for at, sign in enumerate("▁▂▃▄▅▆▇█")}  # from below
BLOCKS = {sign: (at + 1) / 8 for at, sign in enumerate("▏▎▍▌▋▊▉")}  # from the left
DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]  # column and row of each bit of a braille sign


def svg(lines: Lines, palette: Mapping[str, Style], title: str) -> str:
    """A picture of the lines below a title. ``palette``: style name -> style."""
    across = max((sum(cells(text) for text, _ in line) for line in lines), default=0)
    across = max(across, len(title))
    wide, high = across * WIDE + 2 * EDGE, (len(lines) + 2) * HIGH + 2 * EDGE
    body = [_text(0, 0, title, _css(THEME.foreground_color), "bold")]
    for row, line in enumerate(lines, 2):
        column = 0
        for text, name in line:
            body += _piece(column, row, text, palette[name])
            column += cells(text)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high:g}" viewBox="0 0 {wide:g} {high:g}">'
        f"<title>{escape(title)}</title>"
        f'<rect width="100%" height="100%" rx="6" fill="{_css(THEME.background_color)}"/>'
        f'<g transform="translate({EDGE:g},{EDGE:g})" font-family="monospace" font-size="{FONT:g}">'
    )
    return head + "\n".join(body) + "</g></svg>\n"


def _css(colour: Iterable[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _piece(column: int, row: int, text: str, style: Style) -> Iterable[str]:
    """Text of one style: what is drawn as one path, what is filled, and what is written."""
    colour = _css((style.color or Color.default()).get_truecolor(THEME))
    if style.reverse:
        yield _box(column, row, 0.0, 0.0, float(cells(text)), 1.0, colour)
        colour = _css(THEME.background_color)
    weight = "bold" if style.bold else ""
    dots: list[str] = []
    strokes: dict[bool, list[str]] = {}
    written, since = "", column
    for sign, count in _runs(text):
        if sign in FRAMES:
            strokes.setdefault(sign in DASHED, []).append(_frame(column, row, sign))
        elif "\u2800" <= sign <= "\u28ff":
            dots += _dots(column, row, ord(sign) - 0x2800)
        elif sign in SHADES:
            yield _box(column, row, 0.0, 0.0, float(count), 1.0, colour, SHADES[sign])
        elif sign in BARS:
            yield _box(column, row, 0.0, 1 - BARS[sign], float(count), BARS[sign], colour)
        elif sign in BLOCKS:
            yield _box(column, row, 0.0, 0.0, BLOCKS[sign], 1.0, colour)
        elif sign != " ":
            if written and since + cells(written) != column:
                yield _text(since, row, written, colour, weight)
                written = ""
            since = since if written else column
            written += sign
        column += cells(sign) * count
    if written:
        yield _text(since, row, written, colour, weight)
    for dashed, paths in strokes.items():
        extra = ' stroke-dasharray="3 3"' if dashed else ""
        yield f'<path d="{"".join(paths)}" stroke="{colour}" fill="none"{extra}/>'
    if dots:
        yield f'<path d="{"".join(dots)}" stroke="{colour}" stroke-width="2.6" stroke-linecap="round"/>'


def _runs(text: str) -> Iterable[tuple[str, int]]:
    """The signs of a text; equal blocks side by side as one, because seams between them would be seen."""
    for sign, group in groupby(text):
        count = len(list(group))
        yield from [(sign, count)] if sign in BARS or sign in SHADES else [(sign, 1)] * count


def _text(column: int, row: int, text: str, colour: str, weight: str) -> str:
    """Letters stretched to their cells, whatever the font."""
    extra = f' font-weight="{weight}"' if weight else ""
    length = f'textLength="{cells(text) * WIDE:.5g}" lengthAdjust="spacingAndGlyphs"'
    at = f'x="{column * WIDE:.6g}" y="{(row + 0.75) * HIGH:.6g}"'
    return f'<text {at} fill="{colour}" {length}{extra}>{escape(text)}</text>'


def _box(
    column: int, row: int, left: float, top: float, wide: float, high: float, colour: str, opacity: float = 1.0
) -> str:
    """A filled part of cells; ``left`` to ``high`` are shares of a cell."""
    at = f'x="{(column + left) * WIDE:.6g}" y="{(row + top) * HIGH:.6g}"'
    extra = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<rect {at} width="{wide * WIDE:.5g}" height="{high * HIGH:.5g}" fill="{colour}"{extra}/>'


def _frame(column: int, row: int, sign: str) -> str:
    x, y = (column + 0.5) * WIDE, (row + 0.5) * HIGH
    ends = [(x + dx * WIDE, y + dy * HIGH) for dx, dy in map(ENDS.__getitem__, FRAMES[sign])]
    if len(ends) == 2:
        (x1, y1), (x2, y2) = ends
        return f"M{x1:.6g} {y1:.6g}Q{x:.6g} {y:.6g} {x2:.6g} {y2:.6g}"
    return "".join(f"M{x:.6g} {y:.6g}L{x2:.6g} {y2:.6g}" for x2, y2 in ends)


def _dots(column: int, row: int, bits: int) -> Iterable[str]:
    for bit, (right, down) in enumerate(DOTS):
        if bits >> bit & 1:
            yield f"M{(column + 0.25 + right / 2) * WIDE:.6g} {(row + 0.125 + down / 4) * HIGH:.6g}h0"
