"""Which part of a long text or list is visible, and which of its lines has the cursor. Used by every screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FAR = 1 << 30  # lines: further than any list is long
# Keys that move through a list while a text is typed, and by how many lines.
STEPS = {"down": 1, "tab": 1, "ctrl+n": 1, "pagedown": 10, "up": -1, "shift+tab": -1, "ctrl+p": -1, "pageup": -10}


@dataclass
class Scroll:
    """``rows`` lines from ``top`` are visible; both are known once the text was drawn."""

    top: int = 0
    rows: int = 20

    @property
    def page(self) -> int:
        """Half a page, at least one line."""
        return max(1, self.rows // 2)

    def move(self, by: int) -> None:
        """Scroll; drawing stops it at the end."""
        self.top = max(0, self.top + by)

    def fit(self, count: int, rows: int) -> int:
        """Fit into ``rows`` of ``count`` lines; returns the first visible line."""
        self.rows = max(rows, 1)
        self.top = min(max(self.top, 0), max(count - self.rows, 0))
        return self.top

    def show(self, line: int, count: int, rows: int) -> int:
        """Fit so that ``line`` is visible; returns the first visible line."""
        self.top = min(max(self.top, line - max(rows, 1) + 1), line)
        return self.fit(count, rows)


@dataclass
class Cursor(Scroll):
    """A list with a cursor on ``line``."""

    line: int = 0

    def step(self, by: int, count: int) -> None:
        """Move the cursor within ``count`` lines."""
        self.line = min(max(self.line + by, 0), max(count - 1, 0))

    def fit(self, count: int, rows: int) -> int:
        self.step(0, count)
        self.top = min(max(self.top, self.line - max(rows, 1) + 1), self.line)
        return super().fit(count, rows)

    def stay(self, item: Any, items: Sequence[Any]) -> None:
        """Keep the cursor on ``item`` after the list has changed; without it the line stays."""
        if item in items:
            self.line = items.index(item)
        self.step(0, len(items))
