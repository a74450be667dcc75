"""Curves as braille dots, in numpy: two dots across and four down in every cell, no Python loop over points.

W, H are the width and height of a chart in cells; a dot column is half a cell wide, a dot row a quarter of one high.
Independent of axes, colour values and terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a tenth of a second that the start should not pay
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


# Bit of the braille pattern U+2800 + bits that stands at (dot row, dot column) of a cell.
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
EMPTY = -1  # colour of a cell without a dot


@dataclass(frozen=True)
class Window:
    """The part of the plane that a chart shows; both ends are inside."""

    left: float
    right: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Curve:
    """Points sorted by x, [N] each; a y that is not finite leaves a gap. ``dash`` is the length of its holes."""

    x: Floats
    y: Floats
    colour: int
    dash: int = 0


@dataclass(frozen=True)
class Area:
    """The area between two curves over the same sorted x, [N] each, drawn as a sparse pattern."""

    x: Floats
    low: Floats
    high: Floats
    colour: int


def reduce(x: Floats, y: Floats, left: float, right: float, columns: int) -> tuple[Floats, Floats]:
    """At most four points per dot column that draw exactly like all points: first, minimum, maximum, last (M4).

    x [N] sorted, y [N] -> x, y [<= 4 * columns]. One point on either side of the window stays: lines enter and leave.
    """
    begin = max(0, int(np.searchsorted(x, left, "left")) - 1)
    end = min(len(x), int(np.searchsorted(x, right, "right")) + 1)
    x, y = x[begin:end], y[begin:end]
    if len(x) <= 8 * columns:
        return x, y
    # The borders between dot columns, where stroke() rounds to one or the other.
    edges = np.searchsorted(x, left + (right - left) * (np.arange(columns - 1) + 0.5) / max(columns - 1, 1))
    starts = np.unique(np.concatenate(([0], edges)))
    starts = starts[starts < len(x)]
    ends = np.append(starts[1:], len(x)) - 1
    low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    xs, ys = np.repeat(x[starts], 4), np.empty(len(starts) * 4)
    first, last = y[starts], y[ends]
    ys[0::4] = np.where(np.isfinite(first), first, low)
    ys[1::4], ys[2::4] = low, high
    ys[3::4] = np.where(np.isfinite(last), last, low)
    xs[3::4] = x[ends]
    return xs, ys


def stroke(x: Floats, y: Floats, window: Window, columns: int, rows: int) -> NDArray[np.bool_]:
    """Dots of one unbroken line through finite points: [rows, columns], row 0 on top."""
    dots = np.zeros((rows, columns), bool)
    across = (columns - 1) / ((window.right - window.left) or 1.0)
    down = (rows - 1) / ((window.top - window.bottom) or 1.0)
    # Values far outside are clipped at a distance that keeps the slope at the border and does not overflow.
    reach = 100 * ((window.top - window.bottom) or 1.0)
    px, py = (x - window.left) * across, (window.top - np.clip(y, window.bottom - reach, window.top + reach)) * down
    # A sample in the middle of every dot column joins points that lie further apart than one column.
    first, last = max(0, int(np.ceil(px[0]))), min(columns - 1, int(np.floor(px[-1])))
    middles = np.arange(first, last + 1)
    if len(middles):
        py = np.concatenate((py, np.interp(middles, px, py)))
        px = np.concatenate((px, middles.astype(np.float64)))
        order = np.argsort(px, kind="stable")
        px, py = px[order], py[order]
    inside = (px > -0.5) & (px < columns - 0.5)
    column = np.rint(px[inside]).astype(np.intp)
    if not len(column):
        return dots
    row = np.rint(py[inside]).astype(np.intp)
    starts = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
    column = column[starts]
    top, bottom = np.minimum.reduceat(row, starts), np.maximum.reduceat(row, starts)
    if len(column) > 1:  # neighbours that do not touch are stretched until they meet half way
        down_gap = np.maximum(top[1:] - bottom[:-1] - 1, 0)
        up_gap = np.maximum(top[:-1] - bottom[1:] - 1, 0)
        top[1:] -= down_gap - down_gap // 2
        bottom[:-1] += down_gap // 2
        bottom[1:] += up_gap - up_gap // 2
        top[:-1] -= up_gap // 2
    visible = (bottom >= 0) & (top < rows)
    column, top, bottom = column[visible], top[visible], bottom[visible]
    level = np.arange(rows)[:, None]
    dots[:, column] = (level >= top) & (level <= bottom)
    return dots


def dots_of(curve: Curve, window: Window, columns: int, rows: int) -> NDArray[np.bool_]:
    """Dots of a curve with its gaps and dashes: [rows, columns]."""
    x, y = reduce(curve.x, curve.y, window.left, window.right, columns)
    dots = np.zeros((rows, columns), bool)
    finite = np.isfinite(y)
    if not finite.any():
        return dots
    if finite.all():
        dots = stroke(x, y, window, columns, rows)
    else:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], finite, [False])).astype(np.int8)))
        for begin, end in zip(edges[0::2], edges[1::2], strict=True):
            dots |= stroke(x[begin:end], y[begin:end], window, columns, rows)
    if curve.dash:
        dots[:, (np.arange(columns) // curve.dash) % 2 == 1] = False
    return dots


def dots_of_area(area: Area, window: Window, columns: int, rows: int) -> NDArray[np.bool_]:
    """Every sixth dot between the two curves of an area, those of another colour beside them: [rows, columns]."""
    x = np.linspace(window.left, window.right, columns)
    down = (rows - 1) / ((window.top - window.bottom) or 1.0)
    low, high = (np.interp(x, area.x, y, left=np.nan, right=np.nan) for y in (area.low, area.high))
    level = np.arange(rows)[:, None]
    with np.errstate(invalid="ignore"):
        inside = (level >= np.rint((window.top - high) * down)) & (level <= np.rint((window.top - low) * down))
    column = np.arange(columns) + area.colour
    pattern: NDArray[np.bool_] = inside & (column % 3 == 0) & ((level + column // 3) % 2 == 0)
    return pattern


def draw(
    curves: Sequence[Curve | Area], window: Window, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Patterns [H, W] and colours [H, W] (EMPTY without a dot). A cell shows the last curve that passes through it."""
    patterns = np.zeros((height, width), np.uint8)
    colours = np.full((height, width), EMPTY, np.int8)
    for curve in curves:
        columns, rows = width * 2, height * 4
        if isinstance(curve, Area):
            dots = dots_of_area(curve, window, columns, rows)
        else:
            dots = dots_of(curve, window, columns, rows)
        bits = (dots.reshape(height, 4, width, 2) * BITS[None, :, None, :]).sum((1, 3), dtype=np.uint8)
        drawn = bits > 0
        patterns[drawn] = bits[drawn]
        colours[drawn] = curve.colour
    return patterns, colours


def runs(patterns: NDArray[np.uint8], colours: NDArray[np.int8]) -> list[list[tuple[str, int]]]:
    """Every row as (text, colour) with neighbours of one colour joined: few pieces are few bytes."""
    codes = patterns.astype("<u4") + 0x2800
    codes[patterns == 0] = 0x20
    rows: list[list[tuple[str, int]]] = []
    for row, colour in zip(codes, colours, strict=True):
        text = row.tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(colour[1:] != colour[:-1]) + 1).tolist(), len(text)]
        rows.append([(text[a:b], int(colour[a])) for a, b in pairwise(cuts)])
    return rows
