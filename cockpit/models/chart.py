"""What a chart shows, and how all charts of a screen are shown; without drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cockpit.models.series import STEP, Limits, Series
from cockpit.theme import CURVES

if TYPE_CHECKING:
    from cockpit.render.lines import Line
    from engine.metrics.band import Band

LEAST_PART = 1e-4  # of the x axis
WEIGHTS = (0.0, 0.6, 0.9, 0.98)


@dataclass
class View:
    """How charts are shown; shared by all charts of a screen."""

    smoothing: float = 0.0
    log: bool = False
    axis: str = STEP
    cursor: float | None = None  # 0..1 of the width of the plot
    symbols: str = "braille"  # braille, block, ascii
    left: float = 0.0  # the part of the x axis that is shown, 0..1 of the whole
    right: float = 1.0

    @property
    def part(self) -> bool:
        """Whether only a part of the x axis is shown."""
        return self.right - self.left < 1.0

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much of the x axis, around the cursor, or the middle without one."""
        at = 0.5 if self.cursor is None else self.cursor
        span = self.right - self.left
        fixed = self.left + at * span  # this point stays in its cell
        span = min(max(span * factor, LEAST_PART), 1.0)
        self.left = min(max(fixed - at * span, 0.0), 1.0 - span)
        self.right = self.left + span

    def pan(self, share: float) -> None:
        """Move the part that is shown by a share of its width."""
        span = self.right - self.left
        self.left = min(max(self.left + share * span, 0.0), 1.0 - span)
        self.right = self.left + span

    def whole(self) -> None:
        """Show the whole x axis again."""
        self.left, self.right = 0.0, 1.0


@dataclass
class Trace:
    """One curve: its label, points, colour, dash, and the range around it.

    Traces of another ``metric`` than the first one may have the y axis on the right (``aside``, set by ``render``).
    """

    label: str
    series: Series
    colour: int
    dash: int = 0
    band: Band | None = None
    metric: str = ""
    aside: bool = field(default=False, compare=False)

    @property
    def holes(self) -> int:
        """The dash, or one where the colours repeat."""
        return self.dash or (4 if self.colour >= CURVES else 0)


@dataclass
class Chart:
    """The contents of a chart.

    ``total``: planned number of steps, 0 where the axis ends with the data; ``growing``: more points will come;
    ``line``: level of a horizontal line; ``floor``: a value that a linear y axis always shows.
    """

    title: str
    traces: list[Trace] = field(default_factory=list)
    total: float = 0.0
    growing: bool = False
    line: float | None = None
    floor: float | None = None
    note: Line = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    log_limits: Limits = field(default_factory=Limits)
    aside_limits: Limits = field(default_factory=Limits)
