"""Lines in ASCII, cell for cell, for terminals and locales that have no other signs."""

from cockpit.render.lines import Lines
from engine.report.console import SIGNS
from engine.report.tables import cells

_CELLS = {sign: (text if len(text) == 1 else text[0]) for sign, text in SIGNS.items()}
_CELLS |= dict(zip("→←…±≤≥Δ×·∙⌃◆◇◌◐◍†■▾◂↻⟳", "><.+<>dx..^*&.%=!#v<@@", strict=True))
_CELLS |= dict(zip("░▒▓┊┄╌═║▴▲▼★", ".:%:--=|^^v*", strict=True))
_TABLE = {ord(sign): text for sign, text in _CELLS.items()}


def in_ascii(lines: Lines) -> Lines:
    """The same lines with a similar sign for every one of the screen's, and ? for any other character."""
    return [[(text if text.isascii() else _plain(text), style) for text, style in line] for line in lines]


def _plain(text: str) -> str:
    text = text.translate(_TABLE)
    return text if text.isascii() else "".join(sign if sign.isascii() else "?" * cells(sign) for sign in text)
