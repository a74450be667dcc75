"""The whole picture: top line, screen, bottom line, and what lies over them."""

import time
from typing import TYPE_CHECKING

from cockpit.keys import RUNS, SCREENS
from cockpit.panes.system import summary
from cockpit.render.lines import Line, Lines, block, ends, fit, overlay
from engine.report.tables import cells

if TYPE_CHECKING:
    from cockpit.context import Context

SMALLEST = (60, 18)
ROOMY = 30  # lines from which on messages have a line of their own


def draw(context: "Context", across: int, down: int) -> Lines:
    """``down`` lines of ``across`` cells."""
    if across < SMALLEST[0] or down < SMALLEST[1]:
        text = f"cockpit needs {SMALLEST[0]} x {SMALLEST[1]} cells; this is {across} x {down}"
        return block([[], [(text, "warn")], [("Q leaves; runs go on", "dim")]], across, down)
    talk = down >= ROOMY
    body = context.screen.draw(across, down - 2 - talk)
    lines = [_header(context, across), *block(body, across, down - 2 - talk)]
    if talk:
        lines.append(fit(_talk(context, across), across))
    bottom = _talk(context, across) if not talk else []
    lines.append(fit(bottom or _footer(context, across), across))
    if context.menu is not None:
        over = context.menu.draw(across, down - 2)
        left = max(0, (across - sum(cells(text) for text, _ in over[0])) // 2)
        lines = overlay(lines, over, max(1, (down - len(over)) // 3), left)
    return lines


def _header(context: "Context", across: int) -> Line:
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
        right.append(("   " + summary(context.watch.system), "dim"))
    if across >= 160:
        clock = time.strftime("%H:%M", time.localtime(context.clock()))
        right.append((f"   link {context.link / 1000:.1f} kB/s   {clock}", "dim"))
    return ends(left, [*right, (" ", "")], across)


def _talk(context: "Context", across: int) -> Line:
    """The prompt, or what there is to say."""
    if context.prompt is not None:
        line = context.prompt.draw(across)
        fault = context.prompt.fault
        told = ("  ✗ " + fault, "bad") if fault else ("  " + context.prompt.hint, "dim")
        return [*line, told]
    text, style, _ = context.message
    return [(" " + text.replace("\n", "  "), style)] if text else []


def _footer(context: "Context", across: int) -> Line:
    line: Line = []
    for label, _ in _footer_parts(context, across):
        key, _, word = label.strip().partition(" ")
        line += [(" " + key, "key"), (" " + word + " ", "dim")]
    return line


def footer_action(context: "Context", x: int, across: int) -> str:
    """The action whose key stands at column ``x`` of the bottom line; empty where none does."""
    at = 0
    for label, action in _footer_parts(context, across):
        at += cells(label)
        if x < at:
            return action
    return ""


def _footer_parts(context: "Context", across: int) -> list[tuple[str, str]]:
    """(text, action) of the bottom line; help and commands stay when there is no room for all."""
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
