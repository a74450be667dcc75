"""All lines of the terminal: top line, screen, message line, bottom line, and the menu over them."""

import time

from cockpit.context import Context
from cockpit.keys import RUNS, SCREENS
from cockpit.panes.system import summary
from cockpit.render.lines import Line, Lines, block, ends, fit, overlay
from engine.report.tables import cells

SMALLEST = (60, 18)
TALL = 30  # lines from which on messages have a line of their own


def draw(context: Context, across: int, down: int) -> Lines:
    """``down`` lines of ``across`` cells."""
    if across < SMALLEST[0] or down < SMALLEST[1]:
        text = f"cockpit needs {SMALLEST[0]} x {SMALLEST[1]} cells; this is {across} x {down}"
        return block([[], [(text, "warn")], [("Q quits; runs continue", "dim")]], across, down)
    own_line = down >= TALL
    body = context.screen.draw(across, down - 2 - own_line)
    lines = [_header(context, across), *block(body, across, down - 2 - own_line)]
    message = _message_line(context, across)
    if own_line:
        lines += [fit(message, across), fit(_footer(context, across), across)]
    else:
        lines.append(fit(message or _footer(context, across), across))
    if context.menu is not None:
        over = context.menu.draw(across, down - 2)
        left = max(0, (across - sum(cells(text) for text, _ in over[0])) // 2)
        lines = overlay(lines, over, max(1, (down - len(over)) // 3), left)
    return lines


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


def _message_line(context: Context, across: int) -> Line:
    """The prompt, or the latest message."""
    if context.prompt is not None:
        line = context.prompt.draw(across)
        fault = context.prompt.fault
        return [*line, ("  ✗ " + fault, "bad") if fault else ("  " + context.prompt.hint, "dim")]
    text, style, _ = context.message
    return [(" " + text.replace("\n", "  "), style)] if text else []


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


def _footer_parts(context: Context, across: int) -> list[tuple[str, str]]:
    """(text, action) of the bottom line; help and commands are kept when there is no room for all."""
    last = [(f" {key.shown} {key.label} ", key.action) for key in context.keys.always(context.screen.name)]
    room = across - sum(cells(text) for text, _ in last)
    parts: list[tuple[str, str]] = []
    for key in context.keys.footer(context.screen.name):
        text = f" {key.shown} {key.label} "
        if cells(text) > room:
            break
        parts.append((text, key.action))
        room -= cells(text)
    return parts + last
