"""Curves as text, through plotext: its figure belongs to the whole process, so it is cleared before every use."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine.runs.text import clean

Curve = tuple[Sequence[float], Sequence[float]]  # x and y of equal length
TICKS = 5
FLAT = 0.1  # of a value that never changes: the part of the axis above and below it


def chart(curves: Mapping[str, Curve], title: str, width: int = 78, height: int = 16) -> str:
    """Lines through the points of each named curve, as plain text without colours; x are steps."""
    figure = _figure(title, width, height)
    for name, (x, y) in curves.items():
        points = figure.signal(list(x), list(y)).lines()
        figure.draw(points.label(name) if len(curves) > 1 else points)
    return _drawn(figure, curves.values())


def lettered(curves: Sequence[tuple[str, Curve]], title: str, width: int = 78, height: int = 20) -> str:
    """The same for curves that are told apart without colours: each is drawn with its letter, later ones on top."""
    figure = _figure(title, width, height)
    for letter, (x, y) in curves:
        figure.draw(figure.signal(list(x), list(y), marker=letter).lines())
    return _drawn(figure, [curve for _, curve in curves])


def _figure(title: str, width: int, height: int) -> Any:
    from plotext import figure  # here, because it costs time that no other command should pay

    figure.clear.all()
    figure.plot_size(width, height)
    figure.title(title)
    return figure


def _drawn(figure: Any, curves: Collection[Curve]) -> str:
    steps, values = ([value for curve in curves for value in curve[axis]] for axis in (0, 1))
    ticks = _ticks(steps)
    figure.ruler("x").ticks(ticks, [f"{tick:,}" for tick in ticks])  # its own would read 2.5e3
    if min(values) == max(values):  # its own range would be 2 wide, whatever the value
        margin = FLAT * abs(values[0]) or FLAT
        figure.ruler("y").lim(values[0] - margin, values[0] + margin)
    lines = [clean(line).rstrip() for line in str(figure.build()).splitlines()]
    return "\n".join(line for line in lines if line)


def _ticks(steps: Sequence[float]) -> list[int]:
    low, high = min(steps), max(steps)
    return sorted({round(low + (high - low) * part / (TICKS - 1)) for part in range(TICKS)})
