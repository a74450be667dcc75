"""From keys, pastes and clicks to actions: one of the screen on top, or else one of ``cockpit.actions``."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from cockpit.actions import annotate, charts, control, export, navigate, picture
from cockpit.compose import footer_action
from cockpit.context import Context, Screen
from cockpit.keys import ABOUT_RUNS, MOVES, REPEATABLE, SCREENS, WRITING
from cockpit.prompts import Menu, MenuItem, Prompt

SHARED = (navigate, charts, control, annotate, export, picture, sys.modules[__name__])  # modules with do_ and why_not_


def key(context: Context, name: str, character: str | None = None) -> None:
    """Handle a key press. ``name`` as Textual names it; ``character`` where the key types one."""
    if context.prompt is not None:
        _prompt_key(context, context.prompt, name, character)
    elif context.menu is not None:
        _menu_key(context, context.menu, name, character)
    else:
        found = context.keys.find(context.screen.name, name)
        if found is not None:
            act(context, found.action)
            return
        other = context.keys.elsewhere(name)
        shown = name if other is None else other.shown
        reason = f"means {other.label!r} on {' and '.join(other.where)}, not here" if other else "has no meaning here"
        context.notify(f"{shown} {reason}; ? lists the keys", "warn")


def paste(context: Context, text: str) -> None:
    """Insert pasted text into a prompt or a menu's search; elsewhere a paste is ignored, so that it never acts."""
    if context.prompt is not None:
        context.prompt.edit.insert(text)
        if context.prompt.live:
            context.prompt.live(context.prompt.edit.text)
    elif context.menu is not None:
        context.menu.find.insert(text)


def click(context: Context, x: int, y: int, across: int, down: int) -> None:
    """Handle a mouse click: on a key of the bottom line, or on the screen."""
    if context.prompt is not None or context.menu is not None:
        return
    if y == down - 1:
        action = footer_action(context, x, across)
        if action:
            act(context, action)
    elif y:
        context.screen.click(x, y - 1)


def act(context: Context, action: str) -> None:
    """Perform an action, or show why it is impossible now."""
    reason = why_not(context, action)
    if reason:
        context.notify(reason, "warn")
        return
    if action in REPEATABLE:
        context.repeatable = action
    handler(context, context.screen, action)()


def handler(context: Context, screen: Screen, action: str) -> Callable[[], None]:
    """The function of an action on a screen: its own, a shared one, or ``Context.show`` for ``show_<screen>``."""
    own: Callable[[], None] | None = getattr(screen, f"do_{action}", None)
    if own is not None:
        return own
    shared = _shared(f"do_{action}")
    if shared is not None:
        return partial(shared, context)
    opened = action.removeprefix("show_")
    if opened not in SCREENS:
        raise KeyError(action)
    return partial(context.show, opened)


def why_not(context: Context, action: str) -> str:
    """Why an action is impossible now; empty when it is possible."""
    if context.read_only and action in WRITING:
        return "this cockpit was started with --read-only"
    if action in WRITING or action in ABOUT_RUNS:
        others = context.folders.others
        if (context.row is not None and context.row.id in others) or any(run in others for run in context.list.marks):
            return "a run of another program is only shown: nothing is changed there"
    own = getattr(context.screen, f"why_not_{action}", None)
    if own is not None:
        return str(own())
    shared = None if hasattr(context.screen, f"do_{action}") else _shared(f"why_not_{action}")
    return str(shared(context)) if shared else ""


def _shared(name: str) -> Callable[[Context], Any] | None:
    return next((getattr(module, name) for module in SHARED if hasattr(module, name)), None)


def _prompt_key(context: Context, prompt: Prompt, name: str, character: str | None) -> None:
    if name == "escape":
        context.prompt = None
        if prompt.cancel:
            prompt.cancel()
    elif name == "enter":
        if not prompt.fault:
            context.prompt = None
            prompt.accept(prompt.edit.text)
    elif prompt.edit.key(name, character):
        if prompt.live:
            prompt.live(prompt.edit.text)
    elif prompt.other:
        prompt.other(name)


def _menu_key(context: Context, menu: Menu, name: str, character: str | None) -> None:
    if name == "escape":
        context.menu = None
        return
    value = menu.key(name, character)
    if value is not None:
        context.menu = None
        menu.accept(value)


# -- actions on actions ------------------------------------------------------------------------------------------


def do_palette(context: Context) -> None:
    """Every action of this screen by name, movements last; those that are impossible now show the reason."""
    items = []
    for entry in sorted(context.keys.of(context.screen.name), key=lambda entry: entry.action in MOVES):
        reason = why_not(context, entry.action)
        text = f"{entry.shown:<7} {entry.help}" if not reason else f"{entry.shown:<7} not now: {reason}"
        items.append(MenuItem(entry.label, text, entry.action))
    context.open_menu("commands", items, partial(act, context))


def why_not_repeat(context: Context) -> str:
    return "" if context.repeatable else "there is no action to repeat yet"


def do_repeat(context: Context) -> None:
    act(context, context.repeatable)
