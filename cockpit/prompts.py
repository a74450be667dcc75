"""What stands between a person and the screen for a moment: a line to type, or a list to choose from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cockpit.models.line_edit import LineEdit
from cockpit.render.lines import Line, Lines, block, box
from engine.report.tables import cells, column, short


@dataclass
class Prompt:
    """One line of text. ``check`` says what is wrong while it is typed; ``live`` hears each change."""

    label: str
    edit: LineEdit
    accept: Callable[[str], None]
    hint: str = ""
    check: Callable[[str], str] | None = None
    live: Callable[[str], None] | None = None
    cancel: Callable[[], None] | None = None
    other: Callable[[str], None] | None = None  # hears the keys that do not edit: a list to choose from may have them

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
    """A list that typing narrows down; enter takes the line under the cursor."""

    title: str
    choices: Sequence[MenuItem]
    accept: Callable[[str], None]
    cursor: int = 0
    find: LineEdit = field(default_factory=LineEdit)

    @property
    def shown(self) -> list[MenuItem]:
        """Choices with every typed word in them, those whose label begins with the text first."""
        wanted = self.find.text.lower().split()
        found = [c for c in self.choices if all(word in f"{c.label} {c.help}".lower() for word in wanted)]
        return sorted(found, key=lambda c: not c.label.lower().startswith(self.find.text.lower()))

    def key(self, name: str, character: str | None) -> str | None:
        """The value that was chosen, or None while nothing was."""
        count = len(self.shown)
        step = {
            "down": 1,
            "ctrl+n": 1,
            "tab": 1,
            "up": -1,
            "ctrl+p": -1,
            "shift+tab": -1,
            "pagedown": 10,
            "pageup": -10,
        }
        if name in step:
            self.cursor = min(max(self.cursor + step[name], 0), max(count - 1, 0))
        elif name == "enter":
            return self.shown[self.cursor].value if count else None
        elif self.find.key(name, character):
            self.cursor = 0
        return None

    def draw(self, across: int, down: int) -> Lines:
        """As wide as it needs and as high as there is room."""
        shown = self.shown
        label = max((cells(choice.label) for choice in self.choices), default=10)
        label = min(label, across // 2)
        size = min(
            across - 4, max(label + 4 + max((cells(c.help) for c in self.choices), default=0), 30, len(self.title) + 8)
        )
        height = min(down - 2, len(self.choices) + 3)
        rows = max(1, height - 3)
        top = min(max(0, self.cursor - rows // 2), max(0, len(shown) - rows))
        lines: Lines = [[("› ", "key"), (self.find.text, ""), (" ", "select")]]
        for index, choice in enumerate(shown[top : top + rows], top):
            text = column(choice.label, label)
            line: Line = [(" " + text + "  ", ""), (choice.help, "dim")]
            lines.append([(f" {text}  {choice.help}".ljust(size), "select")] if index == self.cursor else line)
        if not shown:
            lines.append([(" nothing fits", "dim")])
        return box([(self.title, "title")], block(lines, size - 2, height - 2), size, height, focused=True)
