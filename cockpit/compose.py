"""The whole picture: top line, screen, bottom line, and what lies over them."""

import time
from typing import TYPE_CHECKING

from cockpit.keys import RUNS, SCREENS
from cockpit.panes.system import summary
from cockpit.render.lines import Line, Lines, block, cells, ends, fit, overlay

if TYPE_CHECKING:
    from cockpit.context import Desk

SMALLEST = (60, 18)
ROOMY = 30  # lines from which on messages have a line of their own


def draw(desk: "Desk", across: int, down: int) -> Lines:
    """``down`` lines of ``across`` cells."""
    if across < SMALLEST[0] or down < SMALLEST[1]:
        text = f"cockpit needs {SMALLEST[0]} x {SMALLEST[1]} cells; this is {across} x {down}"
        return block([[], [(text, "warn")], [("Q leaves; runs go on", "dim")]], across, down)
    talk = down >= ROOMY
    body = desk.screen.draw(across, down - 2 - talk)
    lines = [_header(desk, across), *block(body, across, down - 2 - talk)]
    if talk:
        lines.append(fit(_talk(desk, across), across))
    bottom = _talk(desk, across) if not talk else []
    lines.append(fit(bottom or _footer(desk, across), across))
    if desk.menu is not None:
        over = desk.menu.draw(across, down - 2)
        left = max(0, (across - sum(cells(text) for text, _ in over[0])) // 2)
        lines = overlay(lines, over, max(1, (down - len(over)) // 3), left)
    return lines


def _header(desk: "Desk", across: int) -> Line:
    left: Line = [(" cockpit ▸ ", "dim"), (SCREENS[desk.screen.name], "header"), *desk.screen.title()]
    if desk.read_only:
        left.append(("  read-only", "warn"))
    states = [row.state for row in desk.list.rows.values()]
    counts = {"running": states.count("RUNNING"), "stalled": states.count("STALLED")}
    counts |= {"queued": states.count("QUEUED"), "waiting": states.count("WAITING")}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    right: Line = []
    if across >= 100 or desk.screen.name == RUNS:
        right.append((" · ".join(parts), "run" if counts["running"] else "dim"))
    if across >= 120:
        right.append(("   " + summary(desk.watch.system), "dim"))
    if across >= 160:
        clock = time.strftime("%H:%M", time.localtime(desk.clock()))
        right.append((f"   link {desk.link / 1000:.1f} kB/s   {clock}", "dim"))
    return ends(left, [*right, (" ", "")], across)


def _talk(desk: "Desk", across: int) -> Line:
    """The prompt, or what there is to say."""
    if desk.prompt is not None:
        line = desk.prompt.draw(across)
        fault = desk.prompt.fault
        told = ("  ✗ " + fault, "bad") if fault else ("  " + desk.prompt.hint, "dim")
        return [*line, told]
    text, style, _ = desk.message
    return [(" " + text.replace("\n", "  "), style)] if text else []


def _footer(desk: "Desk", across: int) -> Line:
    line: Line = []
    for label, _ in _footer_parts(desk, across):
        key, _, word = label.strip().partition(" ")
        line += [(" " + key, "key"), (" " + word + " ", "dim")]
    return line


def footer_action(desk: "Desk", x: int, across: int) -> str:
    """The action whose key stands at column ``x`` of the bottom line; empty where none does."""
    at = 0
    for label, action in _footer_parts(desk, across):
        at += cells(label)
        if x < at:
            return action
    return ""


def _footer_parts(desk: "Desk", across: int) -> list[tuple[str, str]]:
    """(text, action) of the bottom line; help and commands stay when there is no room for all."""
    last = [(f" {key.shown} {key.label} ", key.action) for key in desk.keys.always(desk.screen.name)]
    room = across - sum(cells(text) for text, _ in last)
    parts: list[tuple[str, str]] = []
    for key in desk.keys.footer(desk.screen.name):
        text = f" {key.shown} {key.label} "
        if cells(text) > room:
            break
        parts.append((text, key.action))
        room -= cells(text)
    return parts + last
