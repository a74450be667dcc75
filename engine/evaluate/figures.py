"""Metrics from ranks: means with their standard errors, properties of the lists of best items, paired comparisons."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import ids
from engine.evaluate.measure import Measured
from engine.metrics import ranking
from engine.metrics.statistics import PairedDifference, corrected, metric_interval, paired_rows, standard_error
from engine.report.evaluation import ALL_DRAWS
from engine.report.verdicts import BELOW, NEARER, is_least, least, needs_no_training, shown
from engine.stages import FLOOR, REFERENCES

CUTOFFS = (1, 5, 10, 20)
COMPARED = ("ndcg@10", "hr@10")
UNCERTAIN = ("hr@1", "hr@10", "ndcg@10", "mrr")  # metrics with a standard error
PRINTED = ("hr@1", "hr@10", "ndcg@10")  # metrics with an interval
ALL_ROWS = "all"
SHOWN = "shown"  # the family of the pairs that have a sentence

_Key = tuple[tuple[str, str], str, str]  # (baseline, model), metric, slice


def per_row(ranks: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Metric -> its value for every row; recall@k is hr@k, because every row has one target."""
    tensor = torch.from_numpy(ranks)
    values: dict[str, NDArray[np.float64]] = {}
    for name, function in (
        ("hr", ranking.hit_rate),
        ("recall", ranking.recall),
        ("ndcg", ranking.ndcg),
        ("mrr", ranking.mrr),
    ):
        values |= {f"{name}@{k}": function(tensor, k).numpy() for k in CUTOFFS}
    return values | {"mrr": ranking.mrr(tensor).numpy()}


def means(ranks: NDArray[np.float64]) -> dict[str, float]:
    """Mean of every metric over the rows, and the standard error of some: ``<metric> se``."""
    values = per_row(ranks)
    result = {name: float(value.mean()) for name, value in values.items()}
    return result | {f"{name} se": standard_error(values[name]) for name in UNCERTAIN}


def intervals(ranks: NDArray[np.float64], samples: int, seed: int) -> dict[str, float]:
    """Ends of the 95 % intervals over rows of the metrics that are printed: ``<metric> low``, ``<metric> high``."""
    values, found = per_row(ranks), dict[str, float]()
    for name in PRINTED:
        found[f"{name} low"], found[f"{name} high"] = metric_interval(values[name], samples, seed)
    return found


def over_draws(measured: Measured, samples: int, seed: int) -> dict[str, float]:
    """Mean of hr@1 over all draws of the negatives, with its standard error and interval over rows; of candidates."""
    if measured.first is None:
        return {}
    low, high = metric_interval(measured.first, samples, seed)
    found = {"": float(measured.first.mean()), " se": standard_error(measured.first), " low": low, " high": high}
    return {f"{ALL_DRAWS}{end}": value for end, value in found.items()}


def of_lists(measured: Measured, items: int, popularity: NDArray[np.float64]) -> dict[str, float]:
    """Coverage: share of items that any list holds. Popularity: mean popularity percentile of the listed items."""
    if measured.lists is None:
        return {}
    listed = measured.lists[measured.lists != ids.PADDING]
    if len(listed) == 0:
        return {}
    length = measured.lists.shape[1]
    return {
        f"coverage@{length}": len(np.unique(listed)) / items,
        f"popularity@{length}": float(popularity[listed].mean()),
    }


def overlap(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.float64]:
    """Share of common items of two lists per row: [R, K], [R, K] -> [R], of the longer list where one is shorter."""
    real = one != ids.PADDING
    common = ((one[:, :, None] == other[:, None, :]) & real[:, :, None]).sum(axis=(1, 2))
    longest = np.maximum(real.sum(axis=1), (other != ids.PADDING).sum(axis=1))
    result: NDArray[np.float64] = common / np.maximum(longest, 1)
    return result


def overlaps(results: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    """Overlap of the lists of every two models, under each protocol that has lists."""
    listed = [result for result in results if result.lists is not None]
    for index, one in enumerate(listed):
        for other in listed[index + 1 :]:
            if (one.split, one.protocol) == (other.split, other.protocol):
                assert one.lists is not None and other.lists is not None
                shares = overlap(one.lists, other.lists)
                yield {
                    "model": one.model,
                    "other": other.model,
                    "split": one.split,
                    "hide_seen": one.protocol.hide_seen,
                    "rows": len(shares),
                    "places": one.lists.shape[1],
                    "overlap": float(shares.mean()),
                    "overlap se": standard_error(shares),
                }


def closer(lists: dict[str, NDArray[np.int32]], samples: int, seed: int) -> Iterator[dict[str, Any]]:
    """The student's overlap with the teacher before and after distillation, as a paired comparison."""
    if not lists.keys() >= {"student", "teacher", "distilled"}:
        return
    before, after = (overlap(lists[model], lists["teacher"]) for model in ("student", "distilled"))
    difference = paired_rows(before, after, samples, seed)
    yield _comparison("distilled", "student", NEARER, ALL_ROWS, float(before.mean()), difference)


def comparisons(
    ranks: dict[str, NDArray[np.float64]],
    slices: dict[str, NDArray[np.bool_]],
    best_untrained: str,
    samples: int,
    seed: int,
    tick: Callable[[int, int], None],
) -> Iterator[dict[str, Any]]:
    """The difference of each model from every model before it, on all rows and on every slice.

    Interval and sign-flip p-value of the mean difference over rows. Of the untrained models popularity and the best one
    (``best_untrained``, "" where none is ranked) are compared with trained ones. Holm's correction holds for all
    metrics and pairs that ``engine show`` prints together, for those with the best untrained model, and for the metrics
    of any other pair; separately for their slices, so that slices do not widen the result on all rows. ``tick``
    receives the number of computed differences and their total.
    """
    pairs = compared_pairs(list(ranks), best_untrained)
    if not pairs:
        return
    values = {model: per_row(own) for model, own in ranks.items()}
    whole = {ALL_ROWS: np.ones(len(next(iter(ranks.values()))), dtype=bool)}
    keys = [
        (pair, metric, name) for pair in pairs for masks in (whole, slices) for metric in COMPARED for name in masks
    ]
    found: dict[_Key, PairedDifference] = {}
    families: dict[tuple[tuple[str, str] | str, bool], list[_Key]] = {}
    for known, key in enumerate(keys):
        tick(known, len(keys))
        (baseline, model), metric, name = key
        mask = (whole | slices)[name]
        found[key] = paired_rows(values[baseline][metric][mask], values[model][metric][mask], samples, seed)
        untrained = best_untrained if is_least(baseline, best_untrained) else key[0]
        together = SHOWN if shown(model, baseline, ranks) else untrained
        families.setdefault((together, name == ALL_ROWS), []).append(key)
    for family in families.values():
        found |= zip(family, corrected([found[key] for key in family]), strict=True)
    for key in keys:
        (baseline, model), metric, name = key
        base = float(values[baseline][metric][(whole | slices)[name]].mean())
        yield _comparison(model, baseline, metric, name, base, found[key]) | {
            BELOW: _below(found, key, best_untrained, ranks)
        }


def compared_pairs(models: Sequence[str], best_untrained: str) -> list[tuple[str, str]]:
    """(baseline, model): untrained models come first; those that are neither popularity nor the best have no pair."""
    trained = [model for model in models if model not in REFERENCES]
    return [
        *((FLOOR, model) for model in trained if FLOOR in models),
        *least(trained, best_untrained, models),
        *((baseline, model) for index, baseline in enumerate(trained) for model in trained[index + 1 :]),
    ]


def _below(found: dict[_Key, PairedDifference], key: _Key, best_untrained: str, models: Collection[str]) -> str:
    """The best untrained model where the winner of a pair ranks below it on all rows: then it is not called better."""
    (baseline, model), metric, _ = key
    verdict = found[key].verdict()
    winner = {"better": model, "worse": baseline}.get(verdict, "")
    untrained = needs_no_training(winner, best_untrained, models)
    against = found.get(((untrained, winner), metric, ALL_ROWS))
    return untrained if against is not None and against.verdict() == "worse" else ""


def _comparison(model: str, baseline: str, metric: str, name: str, base: float, d: PairedDifference) -> dict[str, Any]:
    return {
        "model": model,
        "baseline": baseline,
        "metric": metric,
        "slice": name,
        "rows": d.n,
        "baseline value": base,
        "difference": d.mean,
        "low": d.low,
        "high": d.high,
        "relative": d.mean / base if base else None,
        "p": d.p,
        "verdict": d.verdict(),
    }
