"""A screen of boxes with texts: keys scroll the focused one, tab and clicks choose it, z shows it alone."""

from collections.abc import Sequence

from cockpit.actions import navigate
from cockpit.context import Context, Screen
from cockpit.models.scroll import Scroll
from cockpit.render.lines import Line, Lines, box, wrap


class PanedScreen(Screen):
    """``names`` are its panes in tab order; ``body`` gives their texts."""

    names: tuple[str, ...] = ()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.focus = self.names[0]
        self._scrolls = {name: Scroll() for name in self.names}
        self._boxes: list[tuple[str, int, int, int, int]] = []  # pane, x, y, width, height

    def body(self, name: str, across: int) -> Lines:
        """The text of a pane, ``across`` cells wide."""
        raise NotImplementedError

    def about(self, name: str) -> Line:
        """What stands beside a pane's title."""
        return []

    def pane(self, name: str, x: int, y: int, across: int, down: int) -> Lines:
        """A pane in its frame, at its cell of the screen."""
        self._boxes.append((name, x, y, across, down))
        body = self.body(name, across - 2)
        room = max(down - 2, 1)
        top = self._scrolls[name].fit(len(body), room)
        title: Line = [(name, "title"), *self.about(name)]
        if len(body) > room:
            title.append((f"  {top + 1}-{min(top + room, len(body))} of {len(body)}", "dim"))
        return box(title, body[top:], across, down, name == self.focus)

    def trouble(self, text: str, across: int) -> Lines:
        """One box instead of all panes: why there is nothing to show."""
        lines = [[("✗ ", "bad"), (line, "bad" if index == 0 else "")] for index, line in enumerate(text.split("\n"))]
        return box([(self.name, "title")], [part for line in lines for part in wrap(line, across - 2)], across, 8)

    def tabs(self) -> Line:
        """The names of the panes, where one is shown at a time."""
        line: Line = []
        for name in self.panes():
            line += [("▸" if name == self.focus else " ", "mark"), (name, "bold" if name == self.focus else "dim")]
            line.append(("  ", ""))
        return line

    def height(self, name: str, across: int) -> int:
        """Lines of a pane whose whole text is shown, frame included."""
        return len(self.body(name, across - 2)) + 2

    # -- keys ----------------------------------------------------------------------------------------------------

    def panes(self) -> Sequence[str]:
        return self.names

    @property
    def page(self) -> int:
        return self._scrolls[self.focus].page

    def move(self, by: int) -> None:
        self._scrolls[self.focus].move(by)

    def do_open(self) -> None:
        navigate.do_zoom(self.context)

    def click(self, x: int, y: int) -> None:
        for name, left, top, across, down in self._boxes:
            if left <= x < left + across and top <= y < top + down:
                self.focus = name
