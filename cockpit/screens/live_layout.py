"""The layout of the Live screen: a pure function of the size, the focus and what the run reports."""

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

SIDE, HEALTH, GRADS, GATES, STRIP, LOG, SYSTEM = "side", "health", "grads", "gates", "strip", "log", "system"
SMALL, WIDE = 100, 160  # columns below which there is one slot, from which there is a side bar
SIDE_WIDTH = 36
CHART = (38, 7)  # least cells of a chart in the grid


@dataclass(frozen=True)
class Pane:
    """A pane and its rectangle in cells."""

    name: str
    x: int
    y: int
    across: int
    down: int


@dataclass(frozen=True)
class Page:
    """One of ``count`` pages of a grid, ``number`` from 0, each of up to ``size`` panes."""

    panes: list[Pane]
    number: int
    count: int
    size: int


def arrange(
    across: int,
    down: int,
    charts: Sequence[str],
    *,
    gates: bool,
    grads: bool,
    side: bool,
    focus: str,
    empty: Collection[str] = (),
    devices: bool = False,
) -> list[Pane]:
    """Panes that fill ``across`` x ``down`` cells without gap or overlap. The focused pane is always among them.

    ``empty``: those of HEALTH and LOG that have nothing to show; they are left out where another pane is there.
    ``devices``: whether the run has readings of its devices, which stand under the curves in the room of the console.
    """
    hidden = {name for name in empty if name != focus}
    spare = SYSTEM if devices and LOG in hidden else LOG
    lower = [*([GRADS] if grads else []), *([GATES] if gates else [])]
    if across < SMALL:
        return _small(across, down, charts, hidden, focus, spare)
    if across < WIDE:
        return _medium(across, down, charts, lower, hidden, focus, spare)
    return _large(across, down, charts, lower, gates, side, hidden, focus)


def panes(charts: Sequence[str], gates: bool, grads: bool, empty: Collection[str] = ()) -> list[str]:
    """Every pane that can have the focus, in the order of tab."""
    found = [*charts, *([GRADS] if grads else []), *([GATES, STRIP] if gates else []), HEALTH, LOG]
    shown = [name for name in found if name not in empty]
    return [*(shown or [HEALTH]), SYSTEM, SIDE]


def grid(across: int, down: int, charts: Sequence[str], focus: str) -> Page:
    """Small charts of equal size that fill the screen: the page with the focused one."""
    columns, rows = max(1, across // CHART[0]), max(1, down // CHART[1])
    columns, rows = min(columns, len(charts)), min(rows, -(-len(charts) // columns))
    pages = -(-len(charts) // (columns * rows))
    page = charts.index(focus) // (columns * rows) if focus in charts else 0
    shown = charts[page * columns * rows : (page + 1) * columns * rows]
    lines = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    if pages > 1:  # of the same size on every page; the last one may stay empty below
        down = down * len(lines) // rows
    return Page(_grid(lines, 0, 0, across, down), page, pages, columns * rows)


def _row(names: Sequence[str], x: int, y: int, across: int, down: int) -> list[Pane]:
    """Panes side by side; the remainder of the width goes to the first ones."""
    boxes: list[Pane] = []
    for index, name in enumerate(names):
        size = across // len(names) + (index < across % len(names))
        boxes.append(Pane(name, x, y, size, down))
        x += size
    return boxes


def _grid(rows: Sequence[Sequence[str]], x: int, y: int, across: int, down: int) -> list[Pane]:
    """Rows of panes; the remainder of the height goes to the first ones."""
    boxes: list[Pane] = []
    for index, names in enumerate(rows):
        size = down // len(rows) + (index < down % len(rows))
        boxes += _row(names, x, y, across, size)
        y += size
    return boxes


def _window(charts: Sequence[str], count: int, focus: str) -> list[str]:
    """``count`` charts, so that the focused one is among them."""
    if focus in charts[count:]:
        return [*charts[: count - 1], focus]
    return list(charts[:count])


def _small(across: int, down: int, charts: Sequence[str], hidden: Set[str], focus: str, spare: str) -> list[Pane]:
    """Two charts, a health box, and one slot for the focused pane, or else the ``spare`` one."""
    shown = _window(charts, 2, focus)
    slot = [name for name in (focus if focus not in (*charts, HEALTH) else spare,) if name not in hidden]
    health = min(6, max(4, down // 4)) if HEALTH not in hidden or not (shown or slot) else 0
    if not shown:
        top = 0
    elif slot:
        top = max(6, (down - health) * 9 // 16)
    else:
        top = down - health
    boxes = _row(shown, 0, 0, across, top)
    if health:
        health = health if slot else down - top
        boxes.append(Pane(HEALTH, 0, top, across, health))
    return boxes + _row(slot, 0, top + health, across, down - top - health)


def _medium(
    across: int, down: int, charts: Sequence[str], lower: list[str], hidden: Set[str], focus: str, spare: str
) -> list[Pane]:
    """Two columns of charts, gradients and gates below, health and one slot at the bottom."""
    last = [name for name in (HEALTH, focus if focus in (STRIP, SYSTEM, SIDE) else spare) if name not in hidden]
    shown = _window(charts, 2 if lower else 4, focus)
    rows = [shown[i : i + 2] for i in range(0, len(shown), 2)]
    if not (rows or lower or last):
        last = [HEALTH]
    bottom = max(8, down // 4) if last else 0
    third = max(8, min(14, (down - bottom) // 2)) if lower else 0
    top = down - bottom - third
    if not rows:
        third, bottom = (third + top, bottom) if lower else (0, down)
        top = 0
    boxes = _grid(rows, 0, 0, across, top) + _row(lower, 0, top, across, third)
    return boxes + _row(last, 0, top + third, across, bottom)


def _large(
    across: int,
    down: int,
    charts: Sequence[str],
    lower: list[str],
    gates: bool,
    side: bool,
    hidden: Set[str],
    focus: str,
) -> list[Pane]:
    """A side bar, three columns of charts, gradients and gates below, health, heat strip, console and machine.

    Without a console the health box takes its place beside the machine, without both the machine is as wide as all.
    """
    boxes: list[Pane] = []
    left = 0
    bottom = max(8, min(16, down // 4))
    if side or focus == SIDE:
        left = SIDE_WIDTH
        boxes.append(Pane(SIDE, 0, 0, left, down - bottom))
    inner = across - left
    middle = [*lower, *charts[3 : 6 - len(lower)]]
    first = _window(charts, 3, focus) if focus in charts and focus not in middle else list(charts[:3])
    rows = [names for names in (first, middle) if names]
    strip = (max(4, min(10, down // 6))) if gates else 0
    between = not rows or not hidden & {LOG, HEALTH}
    health = max(5, min(8, down // 8)) if between else 0
    rest = down - bottom - strip - health
    if not rows:
        health, rest = health + rest, 0
    boxes += _grid(rows, left, 0, inner, rest)
    y = rest
    if between:
        boxes.append(Pane(HEALTH, left, y, inner, health))
        y += health
    if strip:
        boxes.append(Pane(STRIP, left, y, inner, strip))
        y += strip
    beside = [name for name in (LOG, *(() if between else (HEALTH,))) if name not in hidden]
    system = across * 2 // 5 if beside else across
    return [*boxes, *_row(beside, 0, y, across - system, bottom), Pane(SYSTEM, across - system, y, system, bottom)]
