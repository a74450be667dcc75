"""The one widget: it keeps all lines as strips and refreshes the rows that changed."""

from collections.abc import Mapping

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from cockpit.render.lines import Line, Lines


class Frame(Widget):
    """``show`` takes lines of exactly the widget's width; unchanged rows are not refreshed."""

    DEFAULT_CSS = "Frame { width: 1fr; height: 1fr; }"
    can_focus = False

    class Clicked(Message):
        """A mouse click on a cell."""

        def __init__(self, x: int, y: int) -> None:
            super().__init__()
            self.x, self.y = x, y

    def __init__(self, palette: Mapping[str, Style]) -> None:
        super().__init__()
        self._palette = palette
        self._lines: Lines = []
        self._strips: list[Strip] = []

    def show(self, lines: Lines) -> int:
        """Show new lines; returns the number of rows that changed."""
        old = self._lines
        if len(lines) != len(old):
            self._strips = [self._strip(line) for line in lines]
            self._lines = lines
            self.refresh()
            return len(lines)
        changed = [row for row, line in enumerate(lines) if line != old[row]]
        for row in changed:
            self._strips[row] = self._strip(lines[row])
        self._lines = lines
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))
        return len(changed)

    def _strip(self, line: Line) -> Strip:
        """Control characters were removed where text was read; this is the last safeguard."""
        return Strip(
            [
                Segment(text if text.isprintable() else _visible(text), self._palette[style] if style else None)
                for text, style in line
            ]
        )

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.size.width
        rows = []
        for y in range(crop.y, crop.bottom):
            strip = self._strips[y] if y < len(self._strips) else Strip.blank(width)
            if strip.cell_length != width:
                strip = strip.adjust_cell_length(width)
            rows.append(strip if crop.x == 0 and crop.right == width else strip.crop(crop.x, crop.right))
        return rows

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(event.x, event.y))


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
