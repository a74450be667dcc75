"""Several curves as one: their mean and range over a common x axis.

Letters: R curves, N points of the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a tenth of a second at the cockpit's start
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Values = Sequence[float] | Floats


@dataclass(frozen=True)
class Band:
    """Mean, minimum and maximum [N] of the curves at ``x`` [N]; NaN where no curve is present."""

    x: Floats
    mean: Floats
    low: Floats
    high: Floats


def band(curves: Sequence[tuple[Values, Values]], at: Values) -> Band:
    """The band of R curves, each its points (x, y) sorted by x, at the points ``at`` [N] of the axis.

    A curve is linear between its points and absent before its first and after its last one.
    """
    x = np.asarray(at, np.float64)
    axes = [np.asarray(own, np.float64) for own, _ in curves]
    values = np.ma.masked_array(
        [np.interp(x, own, y) for own, (_, y) in zip(axes, curves, strict=True)],
        [(x < own[0]) | (x > own[-1]) for own in axes],
    )
    return Band(x, *(part.filled(np.nan) for part in (values.mean(0), values.min(0), values.max(0))))
