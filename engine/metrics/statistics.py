"""Paired tests, confidence intervals and corrections: pure functions that import NumPy, and SciPy when called.

``paired_t`` over seeds tests whether a difference holds for another seed; ``mean_interval`` and ``sign_flip`` over
rows test whether two given models differ for other users. Letters: n pairs, S resamples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95  # of every interval unless another is asked for
SIGN_FLIP, WILCOXON = "sign-flip", "wilcoxon"  # tests over rows
HOLM, BENJAMINI_HOCHBERG = "holm", "bh"  # corrections for several tests
EXACT = 50  # differences up to which the signed-rank test is exact
_AT_ONCE = 1 << 22  # random numbers held at the same time


@dataclass(frozen=True)
class PairedDifference:
    """A mean difference b - a with its interval and two-sided p-value."""

    mean: float
    low: float
    high: float
    p: float
    n: int
    over: str  # "seeds" or "rows": what was paired

    def verdict(self, goal: str = "max", level: float = LEVEL) -> str:
        """ "better", "worse" or "undecided": decided only where the interval leaves zero out and p agrees."""
        if goal not in ("max", "min") or self.p > 1 - level or self.low <= 0.0 <= self.high:
            return "undecided"
        return "better" if (self.mean > 0) == (goal == "max") else "worse"


def paired_t(a: ArrayLike, b: ArrayLike, level: float = LEVEL) -> PairedDifference:
    """Student's t test of paired values: t = mean(d) / (sd(d) / sqrt(n)) with d = b - a and n - 1 degrees of freedom.

    One pair has no variance: its interval is infinite and p is 1.
    """
    d = _differences(a, b)
    n, mean = len(d), float(d.mean())
    if n == 1:
        return PairedDifference(mean, -math.inf, math.inf, 1.0, 1, "seeds")
    error = float(d.std(ddof=1)) / math.sqrt(n)
    if error == 0.0:
        return PairedDifference(mean, mean, mean, 0.0 if mean else 1.0, n, "seeds")
    half = t_quantile(0.5 + level / 2, n - 1) * error
    return PairedDifference(mean, mean - half, mean + half, 2 * t_tail(abs(mean) / error, n - 1), n, "seeds")


def paired_rows(
    a: ArrayLike, b: ArrayLike, samples: int, seed: int, level: float = LEVEL, test: str = SIGN_FLIP
) -> PairedDifference:
    """Interval (``mean_interval``) of the mean of b - a over rows that both models ranked, and p of ``test``."""
    d = _differences(a, b)
    low, high = mean_interval(d, samples, seed, level)
    p = wilcoxon(d) if test == WILCOXON else sign_flip(d, samples, seed)
    return PairedDifference(float(d.mean()), low, high, p, len(d), "rows")


def mean_interval(values: ArrayLike, samples: int, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """The union of Student's t interval and the BCa bootstrap interval of a mean.

    Most rows are zero. Where all others lie on one side, t leaves the true mean out too often; where a few lie on both
    sides, BCa does. Together they cover (``tests/benchmarks/interval_coverage.py``). One value has no variance: its
    interval is infinite.
    """
    x = _finite(values)
    if len(x) == 1:
        return -math.inf, math.inf
    if float(np.ptp(x)) == 0.0:
        return float(x.mean()), float(x.mean())
    return _with_t(x, bca_interval(x, samples, seed, level), level)


def metric_interval(values: ArrayLike, samples: int, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of one model's metric: the mean of values from 0 to 1.

    ``hit_interval`` where every value is 0 or 1, as in a hit rate and where no row hits: t and BCa would have no width
    there. Else the union of t and BCa, cut to 0..1. Few values are distinct, so the bootstrap draws how often each of
    them occurs, which is the same as drawing rows.
    """
    x = _finite(values)
    if x.min() < 0.0 or x.max() > 1.0:
        raise ValueError("a metric's values lie between 0 and 1")
    if np.isin(x, (0.0, 1.0)).all():
        return hit_interval(int(x.sum()), len(x), level)
    if float(np.ptp(x)) == 0.0:
        return 0.0, 1.0  # of so few rows that nothing is known of their spread
    distinct, counts = np.unique(x, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(x), counts / len(x), samples)  # [S, distinct values]
    low, high = _with_t(x, _bca(x, drawn @ distinct / len(x), level), level)
    return max(low, 0.0), min(high, 1.0)


def hit_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The shares p under which at most, and at least, so many hits have a probability of (1 - level) / 2 or more.

    Clopper and Pearson 1934, by quantiles of the beta distribution: it never covers less than its level. Wilson's
    interval, which is a twentieth narrower, covers less than .93 at a hit rate of 1 % of 95 rows.
    """
    from scipy import special

    tail = (1 - level) / 2
    low = float(special.betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    return low, float(special.betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0


def _with_t(x: NDArray[np.float64], interval: tuple[float, float], level: float) -> tuple[float, float]:
    """The union of an interval and Student's t interval of the mean of x."""
    half = t_quantile(0.5 + level / 2, len(x) - 1) * standard_error(x)
    return min(interval[0], float(x.mean()) - half), max(interval[1], float(x.mean()) + half)


def bca_interval(values: ArrayLike, samples: int, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron 1987).

    Quantiles Phi(z0 + (z0 + z) / (1 - a (z0 + z))) of S means of n values drawn with replacement, with
    z = Phi^-1((1 -+ level) / 2); z0 = Phi^-1 of the share of means below that of x; a = sum d^3 / (6 (sum d^2)^1.5)
    with d = x - mean(x), the jackknife's acceleration of a mean. Equal values have an interval without width.
    """
    x = _finite(values)
    if float(np.ptp(x)) == 0.0:
        return float(x.mean()), float(x.mean())
    return _bca(x, _bootstrap_means(x, samples, seed), level)


def _bca(x: NDArray[np.float64], means: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The interval of ``bca_interval`` from the means [S] of resamples."""
    from scipy import special

    mean, samples = float(x.mean()), len(means)
    d = x - mean
    near = 1e-12 * float(np.abs(x).max())  # sums of the same values in another order are equal
    share = (float((means < mean - near).mean()) + float((means <= mean + near).mean())) / 2
    z0 = special.ndtri(min(max(share, 0.5 / samples), 1 - 0.5 / samples))
    acceleration = float((d**3).sum() / (6 * (d**2).sum() ** 1.5))
    z = z0 + special.ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(means, special.ndtr(z0 + z / (1 - acceleration * z)))
    return float(low), float(high)


def _bootstrap_means(x: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:  # [n] -> [S]
    draw = np.random.default_rng(seed)
    means = np.empty(samples)
    step = max(1, _AT_ONCE // len(x))
    for first in range(0, samples, step):
        count = min(step, samples - first)
        means[first : first + count] = x[draw.integers(0, len(x), (count, len(x)))].mean(axis=1)
    return means


def sign_flip(differences: ArrayLike, samples: int, seed: int) -> float:
    """Two-sided permutation p-value of mean(d) = 0: how often random signs give a mean at least as far from zero.

    Exact over all 2^m sign patterns of the m differences that are not zero where these are no more than ``samples``;
    otherwise (1 + hits) / (1 + samples) of random patterns, which is never 0.
    """
    d = _finite(differences)
    d = d[d != 0.0]  # a zero has no sign to flip
    if len(d) == 0:
        return 1.0
    bar = abs(d.sum()) * (1 - 1e-12)  # the observed pattern counts, whatever the order of the sum
    if len(d) < 31 and 2 ** len(d) <= samples:
        patterns = (np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1  # [2^m, m]
        return float((np.abs((2.0 * patterns - 1.0) @ d) >= bar).mean())
    draw = np.random.default_rng(seed)
    hits, step, width = 0, max(1, _AT_ONCE // len(d)), -(-len(d) // 32) * 4  # bytes of whole random words
    for first in range(0, samples, step):
        count = min(step, samples - first)
        random = np.frombuffer(draw.bytes(count * width), np.uint8).reshape(count, width)
        bits = np.unpackbits(random, axis=1)  # [S, 8 * width]
        signed = 2.0 * (bits[:, : len(d)] @ d) - d.sum()
        hits += int((np.abs(signed) >= bar).sum())
    return (1 + hits) / (1 + samples)


def wilcoxon(differences: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; differences that are zero are left out.

    W is the sum of the ranks of |d| (equal ones share their mean) where d > 0. Exact over all sign patterns up to
    ``EXACT`` differences, else by the normal distribution with mean sum(r) / 2 and variance sum(r^2) / 4.
    """
    d = _finite(differences)
    d = d[d != 0.0]
    if len(d) == 0:
        return 1.0
    _, group, sizes = np.unique(np.abs(d), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(sizes) - sizes + 1)[group]  # twice the mean rank, a whole number
    positive, total = int(doubled[d > 0].sum()), int(doubled.sum())
    if len(d) <= EXACT:
        patterns = np.zeros(total + 1)  # sign patterns by their sum of doubled ranks
        patterns[0] = 1.0
        for rank in doubled.tolist():
            patterns[rank:] += patterns[: total + 1 - rank].copy()
        tail = float(patterns[: min(positive, total - positive) + 1].sum())
        return min(1.0, 2 * tail / 2.0 ** len(d))
    from scipy import special

    z = (positive - total / 2) / math.sqrt(float((doubled.astype(np.float64) ** 2).sum()) / 4)
    return float(2 * special.ndtr(-abs(z)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: the k-th smallest of m p-values times m - k + 1, made monotone, at most 1."""
    order = sorted(range(len(p)), key=lambda index: p[index])
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Step-up adjustment for the false discovery rate: the k-th smallest of m p-values times m / k, made monotone."""
    order = sorted(range(len(p)), key=lambda index: p[index], reverse=True)
    adjusted, lowest = [0.0] * len(p), 1.0
    for above, index in enumerate(order):
        lowest = min(lowest, p[index] * len(p) / (len(p) - above))
        adjusted[index] = lowest
    return adjusted


def corrected(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """The same differences with p-values adjusted for having looked at all of them (Holm)."""
    adjusted = holm([difference.p for difference in differences])
    return [replace(difference, p=p) for difference, p in zip(differences, adjusted, strict=True)]


def standard_error(values: ArrayLike) -> float:
    """sd / sqrt(n) of the mean of independent values; nan for fewer than two."""
    x = np.asarray(values, dtype=np.float64)
    return float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.nan


def kendall(one: ArrayLike, other: ArrayLike) -> float | None:
    """Kendall's tau-b of two orders of the same things; None where all values of one are equal.

    (concordant - discordant pairs) / sqrt(pairs that ``one`` tells apart * pairs that ``other`` tells apart).
    """
    x, y = (np.sign(np.subtract.outer(own, own)) for own in (_finite(one), _finite(other)))
    apart = (x != 0).sum() * (y != 0).sum()
    return float((x * y).sum() / math.sqrt(apart)) if apart else None


def t_tail(t: float, df: float) -> float:
    """P(T >= t) of Student's distribution with ``df`` degrees of freedom."""
    from scipy import special  # 0.1 s, which callers that only read a comparison should not pay

    if df <= 0:
        raise ValueError(f"degrees of freedom must be more than 0, not {df}")
    return float(special.stdtr(df, -t))


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p."""
    from scipy import special

    if not 0 < p < 1:
        raise ValueError(f"a probability between 0 and 1 is needed, not {p}")
    return float(special.stdtrit(df, p))


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = _finite(a), _finite(b)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return second - first


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64).reshape(-1)
    if len(x) == 0 or not np.isfinite(x).all():
        raise ValueError("at least one value is needed, and all must be finite")
    return x
