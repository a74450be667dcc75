"""Splits beside each other: how the same models rank under each, and where the order of the models differs.

A leave-one-out split and a split by time ask different questions, so a table of one alone may mislead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import IO

from engine.compare.figures import TESTED, Evaluated, evaluated
from engine.compare.groups import Member, by_settings, differing
from engine.compare.report import spread_of
from engine.errors import UserError
from engine.metrics.statistics import kendall
from engine.report.csv_files import write_rows
from engine.report.evaluation import label
from engine.report.numbers import NOTHING, mean_sd
from engine.report.tables import fitted, wrapped
from engine.stages import CEILING, MODELS
from engine.wire import Spread

SETTINGS = ("data.split", "data.window")  # they follow the split
METRIC = TESTED[0]
HOW = "Make them: engine sweep data=NAME data.split=leave-one-out,temporal seed=1..3"


@dataclass(frozen=True)
class SplitRow:
    """A model of a setting: by split, its figures over seeds and its position among the models of all splits."""

    setting: str  # "" where there is one
    model: str
    figures: dict[str, dict[str, Spread]]  # split -> metric
    ranks: dict[str, int]  # by split; empty for a model that one of them lacks


@dataclass(frozen=True)
class OrderChange:
    """How alike two splits order the models by their means, and the pairs of models that they order differently."""

    splits: tuple[str, str]
    models: int
    tau: float | None  # Kendall's tau-b; None for fewer than two models
    swapped: list[tuple[str, str]]  # the first is above in the first split, and below in the second


@dataclass(frozen=True)
class SplitComparison:
    """The evaluations of one data set under several splits."""

    data: str
    splits: dict[str, list[int]]  # split -> seeds
    rows: list[SplitRow]
    orders: list[OrderChange]


def compare_splits(members: Sequence[Member]) -> list[SplitComparison]:
    """A comparison per data set; ``members`` are finished evaluations. UserError where none has two splits."""
    tables = {member.entry.id: evaluated(member, None) for member in members}
    by_data: dict[str, list[Member]] = {}
    for member in members:
        by_data.setdefault(tables[member.entry.id].main["data"], []).append(member)
    found = [_of_data(data, own, tables) for data, own in by_data.items()]
    found = [one for one in found if len(one.splits) > 1]
    if not found:
        raise UserError("these evaluations have one split of each data set", location="--splits", remedy=HOW)
    return found


def _of_data(data: str, members: Sequence[Member], tables: Mapping[str, Evaluated]) -> SplitComparison:
    names = [name for name in differing(members) if name not in SETTINGS]
    found: dict[tuple[str, str], dict[str, dict[str, Spread]]] = {}  # (setting, model) -> split -> metric
    splits: dict[str, list[int]] = {}
    for group in by_settings(members):
        own = [tables[member.entry.id] for member in group.members]
        split = own[0].main["split_rule"]
        splits[split] = sorted({*splits.get(split, []), *group.seeds})
        setting = " ".join(f"{name}={group.value(name)}" for name in names)
        for model in (model for model in MODELS if any(model in one.rows for one in own)):
            values = {name: [_value(one, model, name) for one in own] for name in TESTED}
            figures = found.setdefault((setting, model), {})
            figures[split] = {name: spread_of(column) for name, column in values.items()}
    shared = [key for key, figures in found.items() if len(figures) == len(splits) and key[1] != CEILING]
    means = {split: {key: found[key][split][METRIC].mean or 0.0 for key in shared} for split in splits}
    ranks = {split: _ranks(own) for split, own in means.items()}
    rows = [
        SplitRow(*key, figures, {split: ranks[split][key] for split in splits} if key in shared else {})
        for key, figures in found.items()
    ]
    orders = [_order(pair, means) for pair in combinations(splits, 2)]
    return SplitComparison(data, splits, rows, orders)


def _value(one: Evaluated, model: str, metric: str) -> float | None:
    return float(one.rows[model][metric]) if model in one.rows else None


def _ranks(means: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], int]:
    """1 for the best; equal means share the better position."""
    return {key: 1 + sum(other > mean for other in means.values()) for key, mean in means.items()}


def _order(pair: tuple[str, str], means: Mapping[str, Mapping[tuple[str, str], float]]) -> OrderChange:
    one, other = (means[split] for split in pair)
    swapped = [
        (_name(a), _name(b)) if one[a] > one[b] else (_name(b), _name(a))
        for a, b in combinations(one, 2)
        if (one[a] - one[b]) * (other[a] - other[b]) < 0
    ]
    tau = kendall(list(one.values()), list(other.values())) if len(one) > 1 else None
    return OrderChange(pair, len(one), tau, swapped)


def _name(key: tuple[str, str]) -> str:
    return " ".join(filter(None, (key[1], key[0])))


def text(found: SplitComparison) -> str:
    """A table with columns for every split, and where the order of the models differs."""
    several = len({row.setting for row in found.rows}) > 1
    cells = []
    for row in sorted(found.rows, key=lambda row: (row.model == CEILING, row.setting)):
        name = f"{label(row.model)}  {row.setting}".strip() if several else label(row.model)
        line = [name]
        for split in found.splits:
            own = row.figures.get(split, {}).get(METRIC)
            line += [mean_sd(own.mean, own.sd) if own else NOTHING, str(row.ranks.get(split, NOTHING))]
        cells.append(line)
    head = ["model", *(part for split in found.splits for part in (split, "#"))]
    seeds = "; ".join(f"{split} {', '.join(map(str, own))}" for split, own in found.splits.items())
    lines = wrapped(f"{found.data}: {METRIC} under each split, mean ± standard deviation over seeds ({seeds})")
    lines += [*fitted(head, cells), "#: position among the models that every split has", ""]
    for order in found.orders:
        lines += wrapped(sentence(order))
    return "\n".join([*lines, *wrapped("Orders are those of the means; engine results --seeds tests the differences.")])


def sentence(order: OrderChange) -> str:
    """``leave-one-out and temporal order 5 models with Kendall's tau 0.60; ...``"""
    pair = " and ".join(order.splits)
    if order.tau is None:
        return f"{pair}: fewer than two models are in both."
    changes = "; ".join(
        f"{above} is above {below} in {order.splits[0]} and below it in {order.splits[1]}"
        for above, below in order.swapped
    )
    return f"{pair} order {order.models} models with Kendall's tau {order.tau:.2f}: {changes or 'no two models swap'}."


def write_csv(found: Sequence[SplitComparison], file: IO[str]) -> int:
    """A line per data set, split, setting, model and metric; returns their number."""
    columns = ["data", "split", "setting", "model", "metric", "mean", "sd", "n", "position"]
    lines = [
        [one.data, split, row.setting, row.model, metric, own.mean, own.sd, own.n, row.ranks.get(split)]
        for one in found
        for row in one.rows
        for split, figures in row.figures.items()
        for metric, own in figures.items()
    ]
    return write_rows(file, columns, lines)
