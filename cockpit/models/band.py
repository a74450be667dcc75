"""The curves of a group of runs as one series with a range around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cockpit.models.series import Series
from engine.metrics.band import Band, band

POINTS = 2000  # of the common axis, where the runs reported at more steps than that


def mean_and_band(runs: Sequence[Series], axis: str) -> tuple[Series, Band] | None:
    """The mean of some runs as a series whose every axis is ``axis``, and their band.

    A value that is not finite counts as absent. None when no run has reported a finite one.
    """
    known = [(series.x(axis), series.values) for series in runs if series.count]
    known = [(x[good], y[good]) for x, y in known if (good := np.isfinite(x) & np.isfinite(y)).any()]
    if not known:
        return None
    x = np.unique(np.concatenate([x for x, _ in known]))
    if len(x) > POINTS:
        x = np.linspace(x[0], x[-1], POINTS)
    found, mean = band(known, x), Series()
    mean.extend(x, found.mean, x, x)
    return mean, found
