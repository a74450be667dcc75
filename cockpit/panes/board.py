"""The board of an experiment: table of settings, importance of settings, parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cockpit.models.board import MEMORY, SEED, TIME, BoardLine, columns, position
from cockpit.panes.chart import styled
from cockpit.panes.run_table import STATES, UNKNOWN
from cockpit.render.braille import Curve, Window, draw, runs
from cockpit.render.heat import bar
from cockpit.render.lines import Line, Lines, selected, wrap
from engine.report import numbers
from engine.report.tables import column, right
from engine.wire import Board, Spread

MOST = 24  # cells of a column
CURVES_DRAWN = 60  # at most: each takes a fifth of a millisecond
BEST, OTHERS = 1, 6  # colours of curves: the best line, and all others


def short(name: str) -> str:
    """A setting without its section; a metric as it is."""
    return name.rpartition(".")[2] if "@" not in name else name


def headers(board: Board, found: Sequence[BoardLine], across: int) -> list[tuple[str, int]]:
    """The columns that fit, each with its cells: seeds, settings, metrics (the main one first), time, memory."""
    model = board.main.rpartition(" ")[0]  # of an evaluation, whose own metrics come first
    names = [metric.name for metric in board.metrics]
    metrics = sorted(names, key=lambda name: (name != board.main, name.rpartition(" ")[0] != model))
    order = [SEED, *board.settings, *metrics[:1], TIME, *metrics[1:], MEMORY]
    chosen: list[tuple[str, int]] = []
    left = across - 4
    for name in order:
        texts = [cell(board, line, name) for line in found]
        size = min(max([len(short(name)) + 2, *(len(text) for text in texts)]), MOST)
        if size + 2 <= left:
            chosen.append((name, size))
            left -= size + 2
    return [one for one in chosen if one[0] in columns(board)]


def cell(board: Board, line: BoardLine, name: str) -> str:
    """A cell of the table as text."""
    if name == SEED:
        return ",".join(map(str, line.seeds))
    if name == TIME:
        return numbers.duration(line.seconds) if line.seconds is not None else ""
    if name == MEMORY:
        return numbers.size(line.memory) if line.memory is not None else ""
    if name in board.settings:
        return numbers.setting(line.values[board.settings.index(name)])
    return _figure(line.figures.get(name))


def _figure(figure: Spread | None) -> str:
    if figure is None or figure.mean is None:
        return ""
    return numbers.fixed(figure.mean) + (f" ±{numbers.fixed(figure.sd)}" if figure.sd is not None else "")


def table(
    board: Board,
    found: Sequence[BoardLine],
    head: Sequence[tuple[str, int]],
    by: tuple[str, bool],
    cursor: int,
    marked: Sequence[str],
    across: int,
) -> Lines:
    """A line of names, then the lines. ``by``: the column of the order, and whether it is reversed."""
    names: Line = [("    ", "")]
    for name, size in head:
        arrow = ("▴" if by[1] else "▾") if name == by[0] else " "
        names.append((right(short(name) + arrow, size) + "  ", "key" if name == by[0] else "dim"))
    lines: Lines = [names]
    for index, line in enumerate(found):
        flag = "▸" if all(run in marked for run in line.runs) else " "
        state = next((one for one in line.states if one != "DONE"), "DONE")
        glyph, _, colour = STATES.get(state, UNKNOWN)
        own: Line = [(flag, "mark"), ("★" if line.best else " ", "mark"), (glyph + " ", colour)]
        for name, size in head:
            style = "bold" if name == board.main else "dim" if name in (SEED, TIME, MEMORY) else ""
            own.append((right(cell(board, line, name), size) + "  ", style))
        lines.append(selected(own, across) if index == cursor else own)
    return lines


def importance(board: Board, across: int) -> Lines:
    """A bar per setting."""
    if not board.importances:
        return wrap([(board.note or "no setting differs", "dim")], across)
    size = max(len(short(one.setting)) for one in board.importances)
    room = max(across - size - 8, 4)
    lines: Lines = [
        [
            (column(short(one.setting), size) + "  ", ""),
            (bar(one.share, room), "ok"),
            (right(f"{one.share:.2f}".replace("0.", ".", 1), 5), "bold"),
        ]
        for one in board.importances
    ]
    known = sum(any(f.mean is not None for f in row.figures.values()) for row in board.rows)
    about = f"share for {board.main}: {board.evaluator} of Optuna over {known} settings"
    return [*lines, [], *wrap([(about + ("; so few say little" if known < 10 else ""), "dim")], across)]


def parallel(
    board: Board, found: Sequence[BoardLine], metric: str, here: int, across: int, down: int, symbols: str
) -> Lines:
    """A line per setting over an axis for each setting and the metric; the best is coloured, that of the cursor too."""
    cursor = found[here] if here < len(found) else None
    shown = [line for line in found if _mean(line, metric) is not None]
    if len(shown) > CURVES_DRAWN:  # evenly through the order, and those that are coloured
        step = len(shown) / CURVES_DRAWN
        kept = {int(k * step) for k in range(CURVES_DRAWN)}
        shown = [line for k, line in enumerate(shown) if k in kept or line.best or line is cursor]
    names = [*board.settings, metric]
    if len(shown) < 2 or not board.settings or down < 5 or across < 12 * len(names) // 2:
        return [[("parallel coordinates need two settings with a figure, and room", "dim")]]
    axes = [[line.values[index] for line in shown] for index in range(len(board.settings))]
    axes.append([_mean(line, metric) for line in shown])
    heights = [position(values) for values in axes]
    x = np.arange(len(names), dtype=np.float64)
    curves = []
    for index, line in enumerate(shown):
        y = np.array([own[index] for own in heights])
        colour = BEST if line.best else 2 if line is cursor else OTHERS
        curves.append(Curve(x, y, colour))
    curves.sort(key=lambda curve: (curve.colour != OTHERS, curve.colour == BEST))
    grid = draw(curves, Window(0.0, len(names) - 1.0, -0.02, 1.02), across, down - 3)
    body = styled(runs(*grid), symbols)
    return [
        _spread_labels([short(name) for name in names], across, "title"),
        _spread_labels([_end(values, max) for values in axes], across, "dim"),
        *body,
        _spread_labels([_end(values, min) for values in axes], across, "dim"),
    ]


def _mean(line: BoardLine, metric: str) -> float | None:
    figure = line.figures.get(metric)
    return None if figure is None or figure.mean is None or math.isnan(figure.mean) else figure.mean


def _end(values: Sequence[object], choose: object) -> str:
    """The label at one end of an axis."""
    numeric = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if numeric and len(numeric) == len([value for value in values if value is not None]):
        value = max(numeric) if choose is max else min(numeric)
        return f"{value:.4g}".replace("0.", ".", 1)
    texts = sorted({repr(value): numbers.setting(value) for value in values}.items())
    return texts[-1 if choose is max else 0][1]


def _spread_labels(labels: Sequence[str], across: int, style: str) -> Line:
    """A label at each axis: the first begins at the left edge, the last ends at the right one."""
    text = ""
    room = across // max(len(labels) - 1, 1)
    for index, label in enumerate(labels):
        label = column(label, min(len(label), max(room - 1, 4)))
        at = round(index * (across - 1) / max(len(labels) - 1, 1))
        start = 0 if index == 0 else across - len(label) if index == len(labels) - 1 else at - len(label) // 2
        text = text.ljust(start) + label if start >= len(text) else text + " " + label
    return [(text[:across].ljust(across), style)]
