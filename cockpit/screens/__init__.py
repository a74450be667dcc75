"""The screens, by name. One is imported when it is first used, so the start does not pay for screens nobody opened.

A screen is ``cockpit/screens/<name>.py`` with a class ``<Name>Screen(Screen)``, and a line in ``cockpit.keys.SCREENS``.
"""

from importlib import import_module

from cockpit.context import Context, Screen
from cockpit.keys import SCREENS


class Screens(dict[str, Screen]):
    """Name -> screen, created on first use."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def __missing__(self, name: str) -> Screen:
        if name not in SCREENS:
            raise KeyError(name)
        kind = getattr(import_module(f"cockpit.screens.{name}"), f"{name.capitalize()}Screen")
        screen: Screen = kind(self._context)
        self[name] = screen
        return screen
