"""Curves as text, through plotext: its figure belongs to the whole process, so it is cleared before every use."""

from collections.abc import Mapping, Sequence

from engine.runs.text import clean

Curve = tuple[Sequence[float], Sequence[float]]  # x and y of equal length


def chart(curves: Mapping[str, Curve], title: str, width: int = 78, height: int = 16) -> str:
    """Lines through the points of each named curve, as plain text without colours."""
    from plotext import figure  # here, because it costs time that no other command should pay

    figure.clear.all()
    figure.plot_size(width, height)
    figure.title(title)
    for name, (x, y) in curves.items():
        points = figure.signal(list(x), list(y)).lines()
        figure.draw(points.label(name) if len(curves) > 1 else points)
    lines = [clean(line).rstrip() for line in str(figure.build()).splitlines()]
    return "\n".join(line for line in lines if line)
