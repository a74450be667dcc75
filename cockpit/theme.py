"""What the style names look like: a palette of 256 colours, one of 16, and one without colour.

The eight-colour set of Okabe and Ito (told apart by colour-blind people) in its nearest entries of the 256-colour
palette. State is never told by colour alone: each has a glyph and a word. No background, so the terminal's own shows.
"""

from rich.style import Style

CURVES = 6  # series0 .. series5: after that colours repeat and the dash tells them apart

_256 = {
    "": "",
    "dim": "color(244)",
    "bold": "bold",
    "border": "color(240)",
    "focus": "color(74)",
    "title": "bold",
    "header": "bold",
    "key": "bold color(74)",
    "ok": "color(36)",
    "warn": "color(214)",
    "bad": "bold color(203)",
    "run": "color(36)",
    "wait": "color(244)",
    "done": "color(74)",
    "select": "reverse",
    "mark": "bold color(214)",
    "series0": "color(74)",
    "series1": "color(214)",
    "series2": "color(36)",
    "series3": "color(175)",
    "series4": "color(227)",
    "series5": "color(166)",
    "raw": "color(240)",
    "grid": "color(238)",
    "cursor": "color(227)",
}
_16 = {
    **dict.fromkeys(_256, ""),
    "dim": "bright_black",
    "bold": "bold",
    "border": "bright_black",
    "focus": "cyan",
    "title": "bold",
    "header": "bold",
    "key": "bold cyan",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
    "run": "green",
    "wait": "bright_black",
    "done": "blue",
    "select": "reverse",
    "mark": "bold yellow",
    "series0": "cyan",
    "series1": "yellow",
    "series2": "green",
    "series3": "magenta",
    "series4": "blue",
    "series5": "red",
    "raw": "bright_black",
    "grid": "bright_black",
    "cursor": "yellow",
}
_PLAIN = {
    **dict.fromkeys(_256, ""),
    "bold": "bold",
    "title": "bold",
    "header": "bold",
    "key": "bold",
    "bad": "bold",
    "warn": "bold",
    "mark": "bold",
    "select": "reverse",
}


def palette(colours: int) -> dict[str, Style]:
    """Style name -> style for a terminal of that many colours: 256 or more, 16, or 0."""
    table = _256 if colours >= 256 else _16 if colours else _PLAIN
    return {name: Style.parse(text) for name, text in table.items()}
