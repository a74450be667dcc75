"""The curves of a group of seeds as one: their mean, and the range between the least and the greatest.

Letters: N points of the common x axis, R runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cockpit.models.series import Series

if TYPE_CHECKING:
    from cockpit.models.series import Floats

POINTS = 2000  # of the common axis, where the runs reported at more places than that


@dataclass(frozen=True)
class Band:
    """``mean`` as a series whose every axis is ``x`` [N]; ``low`` and ``high`` [N] enclose the runs that got so far."""

    mean: Series
    x: Floats
    low: Floats
    high: Floats


def band(runs: Sequence[Series], axis: str) -> Band | None:
    """The band of some runs over an axis. Between its points a run is a straight line; after its last it is absent.

    A value that is not finite counts as absent too. None when no run has reported anything.
    """
    known = [(series.x(axis), series.values) for series in runs if series.count]
    known = [(x[good], y[good]) for x, y in known if (good := np.isfinite(x) & np.isfinite(y)).any()]
    if not known:
        return None
    x = np.unique(np.concatenate([x for x, _ in known]))
    if len(x) > POINTS:
        x = np.linspace(x[0], x[-1], POINTS)
    values = np.stack([np.interp(x, own, y, left=np.nan, right=np.nan) for own, y in known])  # [R, N]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a gap in all runs is a gap in their mean
        mean, low, high = np.nanmean(values, 0), np.nanmin(values, 0), np.nanmax(values, 0)
    series = Series()
    series.extend(x, mean, x, x)
    return Band(series, x, low, high)
