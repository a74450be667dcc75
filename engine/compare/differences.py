"""Paired tests between groups of runs: over seeds, and over the test rows that both groups ranked.

Over seeds the question is whether it would hold for another seed, over rows whether these very models differ for other
users. The correction holds for all metrics and groups of one model. Letters: R rows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.compare.figures import Figure
from engine.compare.groups import Group, pairs
from engine.metrics.statistics import (
    BENJAMINI_HOCHBERG,
    HOLM,
    SIGN_FLIP,
    PairedDifference,
    benjamini_hochberg,
    holm,
    paired_rows,
    paired_t,
)
from engine.wire import GroupDifference

SEEDS, ROWS = "seeds", "rows"

RowValues = Mapping[tuple[str, str], NDArray[np.float64]]  # (model, metric) -> [R]


@dataclass(frozen=True)
class Procedure:
    """What decides: the test over rows (that over seeds is always Student's t), and the correction for several."""

    test: str = SIGN_FLIP
    correction: str = HOLM


USUAL = Procedure()


@dataclass(frozen=True)
class Sampling:
    """How the rows are drawn for an interval."""

    samples: int
    seed: int


def common_seeds(a: Group, b: Group) -> list[tuple[int, int]]:
    """Indices of the members that have the same seed; a seed that occurs twice in a group is not paired."""
    return [
        (a.seeds.index(seed), b.seeds.index(seed))
        for seed in dict.fromkeys(a.seeds)
        if a.seeds.count(seed) == 1 and b.seeds.count(seed) == 1
    ]


@dataclass(frozen=True)
class Uncorrected:
    """A difference before the correction for multiple tests."""

    base: int
    other: int
    difference: PairedDifference
    mean: float  # of the base
    goal: str  # "" where no verdict is allowed
    test: str  # that p comes from


def compare(
    groups: Sequence[Group],
    figures: Sequence[Figure],
    rows: Callable[[int, int], RowValues] | None,
    targets: Sequence[Sequence[str]],
    sampling: Sampling,
    together: bool = False,
    procedure: Procedure = USUAL,
) -> list[list[GroupDifference]]:
    """The differences of every figure, in order of the figures.

    ``together``: the figures' models are pairs of models that are printed together: the correction covers them all.
    """
    raw = uncorrected(groups, figures, rows, targets, sampling, procedure)
    return decided([None if together else figure.model for figure in figures], raw, procedure)


def uncorrected(
    groups: Sequence[Group],
    figures: Sequence[Figure],
    rows: Callable[[int, int], RowValues] | None,
    targets: Sequence[Sequence[str]],
    sampling: Sampling,
    procedure: Procedure,
) -> list[list[Uncorrected]]:
    """The same before the correction.

    ``rows`` gives the values per test row of a member of a group, None for trainings. ``targets`` are the hashes of the
    members' test targets, empty for trainings: where those of a pair are not the same, nothing is decided.
    """
    raw: list[list[Uncorrected]] = []
    for figure in figures:
        found: list[Uncorrected] = []
        for base, other in pairs(groups) if figure.tested else ():
            sides = figure.values[base], figure.values[other]
            both = [
                (i, j)
                for i, j in common_seeds(groups[base], groups[other])
                if sides[0][i] is not None and sides[1][j] is not None
            ]
            fair = not targets or all(targets[base][i] == targets[other][j] for i, j in both)
            seeds = _over_seeds(sides, both)
            if seeds is not None:
                found.append(Uncorrected(base, other, *seeds, figure.goal if fair else "", "t"))
            parts = _row_pairs(figure, rows, targets, (base, other), both) if rows is not None else None
            if parts is not None:
                difference = paired_rows(*parts, sampling.samples, sampling.seed, test=procedure.test)
                found.append(Uncorrected(base, other, difference, float(parts[0].mean()), figure.goal, procedure.test))
        raw.append(found)
    return raw


def _over_seeds(
    sides: tuple[list[float | None], list[float | None]], both: list[tuple[int, int]]
) -> tuple[PairedDifference, float] | None:
    """The paired difference and the base's mean; unpaired and with an infinite interval where no seed is shared."""
    if both:
        a, b = ([float(side[index[k]] or 0.0) for index in both] for k, side in enumerate(sides))
        return paired_t(a, b), math.fsum(a) / len(a)
    known = [[value for value in side if value is not None] for side in sides]
    if not all(known):
        return None
    means = [math.fsum(values) / len(values) for values in known]
    return PairedDifference(means[1] - means[0], -math.inf, math.inf, 1.0, 0, SEEDS), means[0]


def _row_pairs(
    figure: Figure,
    rows: Callable[[int, int], RowValues],
    targets: Sequence[Sequence[str]],
    pair: tuple[int, int],
    both: list[tuple[int, int]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Values of both sides on the same rows [R]: the mean over the seeds that ranked these rows, paired by seed.

    Groups that share no seed pair as a whole, where all of them ranked the same rows. None where nothing pairs.
    """
    key = (str(figure.model), figure.metric)
    base, other = pair
    by_rows: dict[str, list[tuple[int, int]]] = {}
    for i, j in both:
        if targets[base][i] == targets[other][j]:
            by_rows.setdefault(targets[base][i], []).append((i, j))
    if both:
        sides: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
        for same in by_rows.values():
            sides[0].append(np.mean([rows(base, i)[key] for i, _ in same], axis=0))
            sides[1].append(np.mean([rows(other, j)[key] for _, j in same], axis=0))
        return (np.concatenate(sides[0]), np.concatenate(sides[1])) if by_rows else None
    if len({*targets[base], *targets[other]}) != 1:
        return None
    whole = [
        [rows(group, index)[key] for index, value in enumerate(figure.values[group]) if value is not None]
        for group in pair
    ]
    return (np.mean(whole[0], axis=0), np.mean(whole[1], axis=0)) if all(whole) else None


def decided(
    models: Sequence[str | None], raw: Sequence[Sequence[Uncorrected]], procedure: Procedure
) -> list[list[GroupDifference]]:
    """Corrections within each model and each kind of pairing; the verdict follows the p of the chosen one."""
    families: dict[tuple[str | None, str], list[tuple[int, int]]] = {}
    for index, found in enumerate(raw):
        for number, one in enumerate(found):
            if one.difference.n > 0:
                families.setdefault((models[index], one.difference.over), []).append((index, number))
    corrected: dict[tuple[int, int], tuple[float, float]] = {}
    for keys in families.values():
        p = [raw[index][number].difference.p for index, number in keys]
        corrected |= dict(zip(keys, zip(holm(p), benjamini_hochberg(p), strict=True), strict=True))
    return [
        [_decided(one, *corrected.get((index, number), (1.0, 1.0)), procedure) for number, one in enumerate(found)]
        for index, found in enumerate(raw)
    ]


def _decided(found: Uncorrected, p_holm: float, p_bh: float, procedure: Procedure) -> GroupDifference:
    d = found.difference
    chosen = p_bh if procedure.correction == BENJAMINI_HOCHBERG else p_holm
    certain = math.isfinite(d.low) and math.isfinite(d.high)
    return GroupDifference(
        found.base,
        found.other,
        d.mean,
        percent=100 * d.mean / found.mean if found.mean else None,
        low=d.low if certain else None,
        high=d.high if certain else None,
        p=d.p,
        p_holm=p_holm,
        n=d.n,
        over=d.over,
        verdict=replace(d, p=chosen).verdict(found.goal),
        p_bh=p_bh,
        correction=procedure.correction,
        test=found.test,
    )
