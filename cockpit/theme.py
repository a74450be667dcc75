"""The styles by name: a palette of 256 colours, one of 16, and one without colour.

The colours of curves are the six of the 256 that differ most under each kind of colour blindness, the first two given.
A state is never shown by colour alone: each has a glyph and a word. The background is the terminal's own.
"""

from rich.style import Style

CURVES = 6  # series0 .. series5: after that colours repeat with another dash

_256 = {
    "": "",
    "dim": "color(244)",
    "bold": "bold",
    "border": "color(240)",
    "focus": "color(74)",
    "title": "bold",
    "here": "bold color(74)",  # title of the focused pane
    "header": "bold",
    "key": "bold color(74)",
    "ok": "color(85)",
    "warn": "color(214)",
    "bad": "bold color(196)",
    "run": "color(85)",
    "wait": "color(244)",
    "done": "color(74)",
    "select": "reverse",
    "mark": "bold color(214)",
    "series0": "color(74)",
    "series1": "color(214)",
    "series2": "color(85)",
    "series3": "color(161)",
    "series4": "color(62)",
    "series5": "color(130)",
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
    "here": "bold cyan",
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
    "here": "reverse",
    "focus": "bold",
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
