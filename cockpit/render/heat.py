"""Numbers as blocks of different height, length or darkness.

E experts, N values, T reports over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a tenth of a second that the start should not pay
    from numpy.typing import NDArray


HEIGHTS = " ▁▂▃▄▅▆▇█"
LENGTHS = " ▏▎▍▌▋▊▉█"
SHADES = " ░▒▓█"


def heights(values: Sequence[float] | NDArray[np.float64], size: int) -> str:
    """N values as ``size`` blocks of heights relative to the maximum; a positive value is never blank."""
    row = squeeze(np.asarray(values, np.float64)[None], size)[0]
    top = row.max(initial=0.0)
    if top <= 0:
        return " " * size
    level = np.ceil(row / top * 8).astype(int)
    return "".join(HEIGHTS[k] for k in np.clip(level, 0, 8))


def bar(fraction: float, size: int) -> str:
    """A bar of ``fraction`` of ``size`` cells, in eighths of a cell; a positive fraction is at least one eighth."""
    eighths = round(min(max(fraction, 0.0), 1.0) * size * 8)
    if fraction > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (LENGTHS[rest] if rest else "")).ljust(size)


def squeeze(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[E, N] -> [E, size]: mean of the values that share a cell, or each value repeated when there are too few."""
    count = values.shape[1]
    if count == 0:
        return np.zeros((len(values), size))
    if count <= size:
        return values[:, np.arange(size) * count // size]
    starts = np.arange(size) * count // size
    return np.add.reduceat(values, starts, axis=1) / np.diff(np.append(starts, count))


def strip(loads: NDArray[np.float64], size: int) -> list[str]:
    """Loads over time [E, T] as E rows of shades; the darkest cell is at least twice the even share 1 / E.

    With fewer reports than cells the strip grows to the right, so that drawn cells do not move.
    """
    experts, count = loads.shape
    shown = squeeze(loads, size) if count > size else loads
    level = np.clip(np.nan_to_num(shown) * experts / 2 * 4, 0, 4).round().astype(int)
    return ["".join(SHADES[k] for k in row).ljust(size) for row in level]
