"""A line of text to type, and a list to choose from, both over the screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cockpit.models.line_edit import LineEdit
from cockpit.models.scroll import STEPS
from cockpit.render.lines import Line, Lines, block, box, wrap
from engine.report.tables import cells, column, short

HELP_LINES = 2  # of a menu whose lines are wider than the screen


@dataclass
class Prompt:
    """One line of text. ``check`` returns the error of the text; ``live`` is called after each change."""

    label: str
    edit: LineEdit
    accept: Callable[[str], None]
    hint: str = ""
    check: Callable[[str], str] | None = None
    live: Callable[[str], None] | None = None
    cancel: Callable[[], None] | None = None
    other: Callable[[str], None] | None = None  # is called with the keys that do not edit

    @property
    def fault(self) -> str:
        return self.check(self.edit.text) if self.check else ""

    def draw(self, across: int) -> Line:
        """The text around the cursor, which is a reversed cell."""
        label = f" {self.label}: "
        room = across - cells(label) - 2
        left, right = self.edit.text[: self.edit.cursor], self.edit.text[self.edit.cursor :]
        while cells(left) > max(room - 8, 1):
            left = left[1:]
        right = short(right, max(room - cells(left) + 1, 1)) or " "
        return [(label, "key"), (left, ""), (right[0], "select"), (right[1:], "")]


@dataclass(frozen=True)
class MenuItem:
    label: str
    help: str
    value: str


@dataclass
class Menu:
    """A list that typing filters; enter chooses the line under the cursor."""

    title: str
    items: Sequence[MenuItem]
    accept: Callable[[str], None]
    cursor: int = 0
    find: LineEdit = field(default_factory=LineEdit)

    @property
    def shown(self) -> list[MenuItem]:
        """Items that contain every typed word, those whose label begins with the text first."""
        wanted = self.find.text.lower().split()
        found = [c for c in self.items if all(word in f"{c.label} {c.help}".lower() for word in wanted)]
        return sorted(found, key=lambda c: not c.label.lower().startswith(self.find.text.lower()))

    def key(self, name: str, character: str | None) -> str | None:
        """Handle a key; returns the chosen value, or None."""
        count = len(self.shown)
        if name in STEPS:
            self.cursor = min(max(self.cursor + STEPS[name], 0), max(count - 1, 0))
        elif name == "enter":
            return self.shown[self.cursor].value if count else None
        elif self.find.key(name, character):
            self.cursor = 0
        return None

    def draw(self, across: int, down: int) -> Lines:
        """As wide as the items need, as high as fits."""
        shown = self.shown
        label = max((cells(choice.label) for choice in self.items), default=10)
        label = min(label, across // 2)
        size = min(
            across - 4, max(label + 4 + max((cells(c.help) for c in self.items), default=0), 30, len(self.title) + 8)
        )
        cut = any(label + 3 + cells(one.help) > size - 2 for one in self.items)
        below = HELP_LINES if cut else 0  # the whole help of the line under the cursor
        height = min(down - 2, len(self.items) + 3 + below)
        rows = max(1, height - 3 - below)
        top = min(max(0, self.cursor - rows // 2), max(0, len(shown) - rows))
        lines: Lines = [[("› ", "key"), (self.find.text, ""), (" ", "select")]]
        for index, choice in enumerate(shown[top : top + rows], top):
            text = column(choice.label, label)
            line: Line = [(" " + text + "  ", ""), (choice.help, "dim")]
            lines.append([(f" {text}  {choice.help}".ljust(size), "select")] if index == self.cursor else line)
        if not shown:
            lines.append([(" no match", "dim")])
        elif below:
            lines += [[] for _ in range(rows + 1 - len(lines))]
            lines += wrap([(f" {shown[min(self.cursor, len(shown) - 1)].help}", "dim")], size - 2, 1)[:HELP_LINES]
        return box([(self.title, "title")], block(lines, size - 2, height - 2), size, height, focused=True)
