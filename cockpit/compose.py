"""All lines of the terminal: top line, screen, message line, bottom line, and the menu over them."""

import time

from cockpit.context import Context
from cockpit.keys import RUNS, SCREENS
from cockpit.panes.system import summary
from cockpit.render.ascii import in_ascii
from cockpit.render.lines import Line, Lines, block, ends, fit, overlay, width, wrap
from engine.report.tables import cells

SMALLEST = (60, 18)
MESSAGE_LINES = 3  # at most
TALL = 30  # lines from which on messages have a line of their own


def draw(context: Context, across: int, down: int) -> Lines:
    """``down`` lines of ``across`` cells."""
    if across < SMALLEST[0] or down < SMALLEST[1]:
        text = f"cockpit needs {SMALLEST[0]} x {SMALLEST[1]} cells; this is {across} x {down}"
        return block([[], [(text, "warn")], [("Q quits; runs continue", "dim")]], across, down)
    below = _message(context, across)
    if down >= TALL or not below:
        below = [*(below or ([[]] if down >= TALL else [])), _footer(context, across)]
    room = down - 1 - len(below)
    body = block(context.screen.draw(across, room), across, room)
    lines = [_header(context, across), *body]  # a title may name what was drawn
    lines += [fit(line, across) for line in below]
    context.drawn = lines
    if context.menu is not None:
        over = context.menu.draw(across, down - 2)
        left = max(0, (across - sum(cells(text) for text, _ in over[0])) // 2)
        lines = overlay(lines, over, max(1, (down - len(over)) // 3), left)
    return in_ascii(lines) if context.settings.symbols == "ascii" else lines


def _header(context: Context, across: int) -> Line:
    left: Line = [(" cockpit ▸ ", "dim"), (SCREENS[context.screen.name], "header"), *context.screen.title()]
    if context.read_only:
        left.append(("  read-only", "warn"))
    states = [row.state for row in context.list.rows.values()]
    counts = {"running": states.count("RUNNING"), "stalled": states.count("STALLED")}
    counts |= {"queued": states.count("QUEUED"), "waiting": states.count("WAITING")}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    right: Line = []
    if across >= 100 or context.screen.name == RUNS:
        right.append((" · ".join(parts), "run" if counts["running"] else "dim"))
    if across >= 120:
        right.append(("   " + summary(context.watch.machine), "dim"))
    if across >= 160:
        clock = time.strftime("%H:%M", time.localtime(context.clock()))
        right.append((f"   link {context.link / 1000:.1f} kB/s   {clock}", "dim"))
    return ends(left, [*right, (" ", "")], across)


def _message(context: Context, across: int) -> Lines:
    """The prompt, below its error or hint where both do not fit in a line, or the latest message."""
    if context.prompt is not None:
        line, fault = context.prompt.draw(across), context.prompt.fault
        about: Line = [("  ✗ " + fault, "bad") if fault else ("  " + context.prompt.hint, "dim")]
        if width(line) + width(about) <= across:
            return [[*line, *about]]
        return [*wrap(about, across)[:MESSAGE_LINES], line]
    text, style, _ = context.message
    return wrap([(" " + text.replace("\n", "  "), style)], across, 1)[:MESSAGE_LINES] if text else []


def _footer(context: Context, across: int) -> Line:
    line: Line = []
    for label, _ in _footer_parts(context, across):
        key, _, word = label.strip().partition(" ")
        line += [(" " + key, "key"), (" " + word + " ", "dim")]
    return line


def footer_action(context: Context, x: int, across: int) -> str:
    """The action of the key at column ``x`` of the bottom line; empty where there is none."""
    at = 0
    for label, action in _footer_parts(context, across):
        at += cells(label)
        if x < at:
            return action
    return ""


def _position(context: Context) -> str:
    """Which of the panes has the focus, and how many there are."""
    screen = context.screen
    names = list(screen.panes())
    return f" {names.index(screen.focus) + 1 if screen.focus in names else 1}/{len(names)}" if names else ""


def _footer_parts(context: Context, across: int) -> list[tuple[str, str]]:
    """(text, action) of the bottom line; help and commands are kept when there is no room for all."""
    last = [(f" {key.shown} {key.label} ", key.action) for key in context.keys.always(context.screen.name)]
    room = across - sum(cells(text) for text, _ in last)
    parts: list[tuple[str, str]] = []
    for key in context.keys.footer(context.screen.name):
        text = f" {key.shown} {context.screen.key_label(key)}{_position(context) if key.action == 'pane' else ''} "
        if cells(text) > room:
            break
        parts.append((text, key.action))
        room -= cells(text)
    return parts + last
