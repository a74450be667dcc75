"""How often 95 % intervals of a mean over rows hold the true mean, by method: of differences and of single models.

    python tests/benchmarks/interval_coverage.py [--trials 2000] [--samples 1000]

A row is zero unless its target is among the first ten, at a rank drawn evenly. Rows of one model are zero or more; rows
of a difference may be negative. Differences without any hit have no interval and are left out; their share is printed.
Metrics of a single model are its hit rate (exact) and its NDCG. Exit status 1 where ours covers less than .93 at 95
rows or .94 at 300.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.metrics.statistics import bca_interval, mean_interval, metric_interval, standard_error, t_quantile

LEVELS = 1 / np.log2(np.arange(1, 11) + 1)  # NDCG@10 at ranks 1 to 10
KINDS = [(0.03, 0.0), (0.05, 0.0), (0.1, 0.0), (0.2, 0.0), (0.03, 0.01), (0.05, 0.02), (0.1, 0.05), (0.05, 0.05)]
HITS = [0.01, 0.03, 0.05, 0.1, 0.2, 0.5]  # hit rates of one model
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
    return int(missed | single(given.trials, given.samples))


def single(trials: int, samples: int) -> bool:
    """Prints the coverage of the metrics of one model, exact for hit rates; whether ours misses a target."""
    draw, missed = np.random.default_rng(2), False
    for count, target in TARGETS.items():
        for hit in HITS:
            likely = stats.binom.pmf(np.arange(count + 1), count, hit)
            outcomes = [np.arange(count) < hits for hits in range(count + 1)]
            missed |= printed(f"{count} rows, hit rate of {hit:.0%}", hit, outcomes, likely, samples) < target
        for hit in HITS:
            drawn = [np.where(draw.random(count) < hit, draw.choice(LEVELS, count), 0.0) for _ in range(trials)]
            even = np.full(trials, 1 / trials)
            name = f"{count} rows, NDCG with {hit:.0%} hits"
            missed |= printed(name, hit * LEVELS.mean(), drawn, even, samples) < target
    return missed


def printed(
    name: str, truth: float, outcomes: Sequence[NDArray[Any]], likely: NDArray[np.float64], samples: int
) -> float:
    """Prints the coverage by method over outcomes of these probabilities; ours."""
    covered = {"1.96 standard errors": 0.0, "t": 0.0, "ours": 0.0}
    for seed, (rows, probability) in enumerate(zip(outcomes, likely, strict=True)):
        if probability < 1e-9:
            continue
        x = rows.astype(np.float64)
        for method, times in (("1.96 standard errors", 1.96), ("t", t_quantile(0.975, len(x) - 1))):
            covered[method] += probability * (abs(x.mean() - truth) <= times * standard_error(x))
        low, high = metric_interval(x, samples, seed)
        covered["ours"] += probability * (low <= truth <= high)
    print(f"{name}: " + "  ".join(f"{method} {share:.3f}" for method, share in covered.items()))
    return covered["ours"]


if __name__ == "__main__":
    sys.exit(main())
