"""Gradient norm of every parameter group on a logarithmic bar; None, exactly zero and too small are marked."""

import math

from cockpit.models.gradients import HIGH, LOW, NAN, NONE, OK, ZERO, Gradients, ParameterGroup
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, box
from engine.report import numbers
from engine.report.tables import column, right

DECADES = 6.0  # powers of ten below the greatest norm that a bar spans
STYLES = {OK: "series0", LOW: "warn", HIGH: "warn", NAN: "bad"}


def render(gradients: Gradients, across: int, down: int, focused: bool = False) -> Lines:
    groups = gradients.groups()
    title: Line = [(f"grad by group ({len(groups)})", "title")]
    if not groups:
        return box(title, [[("no gradients reported", "dim")]], across, down, focused)
    none, zero = (sum(group.verdict == verdict for group in groups) for verdict in (NONE, ZERO))
    bad = {group.verdict for group in groups if group.noted}
    title += [
        (f"  {none} None", "bad" if NONE in bad else "dim"),
        (f" · {zero} zero", "bad" if ZERO in bad else "dim"),
    ]
    title.append(("  log bars", "dim"))
    if gradients.clip:
        style = "warn" if gradients.always_clipped else "dim"
        title.append((f"  clip {gradients.clip:g} hit {gradients.clip_share:.0%}", style))
    top = max((group.norm for group in groups if group.norm and math.isfinite(group.norm)), default=1.0)
    name_size = min(max(len(group.name) for group in groups), 14)
    bar_size = max(4, across - 2 - name_size - 1 - 9 - 10)
    # Faults come first when there is no room for every group.
    shown = down - 2
    order = sorted(range(len(groups)), key=lambda i: (groups[i].verdict == OK, i)) if len(groups) > shown else None
    lines: Lines = []
    for index in order or range(len(groups)):
        group = groups[index]
        style = _style(group)
        if group.norm is None:
            share, text = 0.0, NONE
        elif not math.isfinite(group.norm):
            share, text = 1.0, NAN
        elif group.norm == 0:
            share, text = 0.0, "0"
        else:
            share, text = 1 + math.log10(group.norm / top) / DECADES, numbers.figure(group.norm, 2)
            share = max(share, 1e-6)
        glyph = {"bad": "✗", "warn": "⚠"}.get(style, "·")
        verdict = "" if group.verdict == OK else f" {glyph} {group.verdict}"
        lines.append(
            [
                (column(group.name, name_size) + " ", ""),
                (bar(share, bar_size), style),
                (right(text, 8), style if verdict else ""),
                (column(verdict, 10), style),
            ]
        )
    return box(title, lines[:shown], across, down, focused)


def _style(group: ParameterGroup) -> str:
    """A zero or missing gradient is a fault only once it lasts: parts initialised with zeros begin with one."""
    return STYLES.get(group.verdict, "bad" if group.noted else "dim")
