"""Screens and the key table as text, without a terminal: for a README, a bug report, a pipe."""

import asyncio
import re
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from cockpit.compose import draw
from cockpit.context import Context
from cockpit.keys import HELP, SCREENS, SHOWN, SYSTEM, KeyMap, caption
from cockpit.render.lines import plain
from cockpit.render.svg import svg
from cockpit.screens import Screens
from cockpit.services.folders import Folders
from cockpit.services.system import Meter
from cockpit.settings import Settings
from cockpit.theme import palette
from engine.errors import UserError

TEXT = "text"  # the form of a printed screen, or svg
READ_SECONDS = 30.0  # at most, to read what the screen shows


class NoEffects:
    """Effects without a terminal."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    def leave(self) -> None:
        """Nothing to leave."""

    def copy(self, text: str) -> None:
        """No clipboard."""

    def announce(self, kind: str, title: str, text: str) -> None:
        """No notification."""

    def repaint(self) -> None:
        """Nothing to repaint."""


def screen_text(root: Path | Folders, screen: str, size: str, settings: Settings, form: str = TEXT) -> str:
    """A screen as text, or as an SVG picture. ``size`` as in 120x40."""
    match = re.fullmatch(r"(\d{2,3})x(\d{2,3})", size)
    if match is None:
        raise UserError(f"{size!r} is not a size", location="--size", remedy="Write for example --size 120x40.")
    across, down = int(match[1]), int(match[2])
    context = Context(root, NoEffects(), settings, screens=Screens)
    deadline = time.monotonic() + READ_SECONDS
    context.record_machine(Meter(context.root).poll(screen == SYSTEM))
    while time.monotonic() < deadline:
        context.tick()
        if context.watch.scanner.complete and context.stack[-1] != screen:
            context.list.arrange(context.clock())
            context.show(screen)
            draw(context, across, down)
        elif context.watch.scanner.complete and not context.behind and not context.tick():
            break
    context.list.arrange(context.clock())
    context.message = ("", "", 0.0)
    lines = draw(context, across, down)
    if form == TEXT:
        return plain(lines)
    when = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(context.clock()))
    return svg(lines, palette(256), f"{caption(screen)}  {root}  {when}").rstrip()


def key_table(own: dict[str, list[str]], settings_file: str) -> str:
    """Every key as a Markdown table: keys, screens, meaning."""
    names = {screen: caption(screen) for screen in SCREENS if screen != HELP}
    lines = ["| key | screens | action |", "| --- | --- | --- |"]
    for key in KeyMap(own, settings_file).table:
        where = [name for screen, name in names.items() if screen in key.where] or [caption(HELP)]
        shown = " ".join(f"`{SHOWN.get(name, name)}`" for name in key.keys)
        lines.append(f"| {shown} | {'all' if len(where) == len(names) else ', '.join(where)} | {key.help} |")
    return "\n".join(lines)
