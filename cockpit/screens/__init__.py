"""The screens, by name. One is loaded when it is first looked at: a start should not pay for what nobody opened.

A screen is a file of its own: ``cockpit/screens/<name>.py`` with a class ``<Name>(context)``, and a line in
``cockpit.keys.SCREENS``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from cockpit.keys import SCREENS
from cockpit.models.rows import Row
from cockpit.render.lines import Line, Lines

if TYPE_CHECKING:
    from cockpit.context import Context


class Screen(Protocol):
    """One screen: ``name`` is its word in the key table, whose actions are its methods ``do_<action>``.

    A method ``poll() -> bool`` reads what only this screen shows, a few milliseconds at a time; ``close()`` ends what
    it keeps running when the cockpit ends.
    """

    name: str

    @property
    def row(self) -> Row | None:
        """The run that actions are about."""

    def title(self) -> Line:
        """What the top line says beside the screen's name."""

    def draw(self, across: int, down: int) -> Lines: ...

    def watched(self) -> list[str]:
        """Runs whose events it shows, the most important first."""

    def click(self, x: int, y: int) -> None: ...


class Screens(dict[str, Screen]):
    """Name -> screen, made when it is asked for."""

    def __init__(self, context: "Context") -> None:
        super().__init__()
        self._desk = context

    def __missing__(self, name: str) -> Screen:
        if name not in SCREENS:
            raise KeyError(name)
        kind = getattr(import_module(f"cockpit.screens.{name}"), f"{name.capitalize()}Screen")
        screen: Screen = kind(self._desk)
        self[name] = screen
        return screen
