"""How often 95 % intervals of a mean of NDCG-like rows hold the true mean, by method.

    python tests/benchmarks/interval_coverage.py [--trials 2000] [--samples 1000]

A row is zero unless its target is among the first ten, at a rank drawn evenly. Rows of one model are zero or more; rows
of a difference may be negative. Samples without any hit have no interval and are left out; their share is printed. Exit
status 1 where ours covers less than .93 at 95 rows or .94 at 300.
"""

import argparse
import math
import sys

import numpy as np
from numpy.typing import NDArray

from engine.metrics.statistics import bca_interval, mean_interval, standard_error, t_quantile

LEVELS = 1 / np.log2(np.arange(1, 11) + 1)  # NDCG@10 at ranks 1 to 10
KINDS = [(0.03, 0.0), (0.05, 0.0), (0.1, 0.0), (0.2, 0.0), (0.03, 0.01), (0.05, 0.02), (0.1, 0.05), (0.05, 0.05)]
TARGETS = {95: 0.93, 300: 0.94}

Interval = tuple[float, float]


def rows(gain: float, loss: float, count: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Shares ``gain`` and ``loss`` of the rows are above and below zero."""
    u, size = draw.random(count), draw.choice(LEVELS, count)
    return np.where(u < gain, size, np.where(u < gain + loss, -size, 0.0))


def resampled(x: NDArray[np.float64], samples: int, seed: int) -> tuple[Interval, Interval]:
    """Percentile and bootstrap-t intervals; a resample without variance has an infinite t."""
    own = x[np.random.default_rng(seed).integers(0, len(x), (samples, len(x)))]
    means, spread = own.mean(axis=1), own.std(axis=1, ddof=1)
    safe = np.where(spread > 1e-12, spread, 1.0)
    far = np.where(means > x.mean(), math.inf, -math.inf)
    t = np.where(spread > 1e-12, (means - x.mean()) / safe * math.sqrt(len(x)), far)
    low, high = np.quantile(t, [0.025, 0.975], method="inverted_cdf")
    error = standard_error(x)
    return tuple(np.quantile(means, [0.025, 0.975])), (x.mean() - high * error, x.mean() - low * error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=1000)
    given = parser.parse_args()
    draw, missed = np.random.default_rng(1), False
    for count, target in TARGETS.items():
        for gain, loss in KINDS:
            truth, covered, empty = (gain - loss) * LEVELS.mean(), dict[str, int](), 0
            for trial in range(given.trials):
                x = rows(gain, loss, count, draw)
                if not x.any():
                    empty += 1
                    continue
                half = t_quantile(0.975, count - 1) * standard_error(x)
                percentile, studentised = resampled(x, given.samples, trial)
                found = {
                    "percentile": percentile,
                    "t": (x.mean() - half, x.mean() + half),
                    "BCa": bca_interval(x, given.samples, trial),
                    "bootstrap-t": studentised,
                    "ours": mean_interval(x, given.samples, trial),
                }
                for name, (low, high) in found.items():
                    covered[name] = covered.get(name, 0) + (low <= truth <= high)
            shares = {name: hits / (given.trials - empty) for name, hits in covered.items()}
            missed |= shares["ours"] < target
            text = "  ".join(f"{name} {share:.3f}" for name, share in shares.items())
            print(f"{count} rows, {gain:.0%} up, {loss:.0%} down: {text}  without a hit {empty / given.trials:.3f}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
