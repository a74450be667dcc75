"""Tables for a paper: models, or settings that differ, over seeds; data sets are groups of columns.

The best mean of a column is marked, and what is not different from it: where tests over seeds and over rows do not
both find a difference, corrected for all pairs and metrics of the data set.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from engine.compare.differences import ROWS, SEEDS, Procedure, RowValues, Sampling, decided, uncorrected
from engine.compare.figures import COSTS, Evaluated, Figure, evaluated, of_evaluations, row_values
from engine.compare.groups import Group, Member, by_experiment, differing, repetitions
from engine.compare.report import DRAWN, spread_of
from engine.compare.sentences import CORRECTED, agreed
from engine.errors import UserError
from engine.metrics.statistics import WILCOXON
from engine.report.csv_files import write_rows
from engine.report.evaluation import COSTS as TITLED
from engine.report.evaluation import WORDS
from engine.report.markup import CHECK, MarkupCell, MarkupTable
from engine.report.numbers import NOTHING, fixed, mean_sd, setting
from engine.report.results import protocol
from engine.report.results import rows as results_of
from engine.runs.text import clean
from engine.stages import CEILING, MODELS, REFERENCES
from engine.wire import Spread

SHOWN = ("ndcg@10", "hr@10")  # metrics of a table; the others are in --seeds
HEADS = {column: title for title, (column, _) in TITLED.items()}
DIGITS = dict(TITLED.values())
ENOUGH = 40  # resamples for each test of a family: with fewer than 20 no corrected p could fall below .05
BEST, ALIKE = "best", "not different"


@dataclass(frozen=True)
class PaperRow:
    """A model of a group of seeds on one data set. ``marks``: metric -> BEST or ALIKE, where it is one of them."""

    data: str
    group: Group
    model: str
    spreads: Mapping[str, Spread]  # metrics and costs
    marks: Mapping[str, str]


@dataclass(frozen=True)
class _DataSet:
    """The groups that were evaluated on a data set under one protocol."""

    name: str
    hide_seen: str
    protocol: str
    groups: list[Group]
    found: list[list[Evaluated]]  # by group and member


def rows_of(members: Sequence[Member], procedure: Procedure) -> tuple[list[PaperRow], list[str]]:
    """Every model of every group of seeds, and the protocols behind them; ``members`` are finished evaluations."""
    rows: list[PaperRow] = []
    protocols: list[str] = []
    for one in _data_sets(members):
        rows += _rows(one, procedure)
        protocols.append(one.protocol)
    return rows, list(dict.fromkeys(protocols))


def models_table(rows: Sequence[PaperRow], notes: Sequence[str]) -> MarkupTable:
    """A row per model; per setting and model where a data set has several settings."""
    several = len({(row.data, row.group.name) for row in rows}) > len({row.data for row in rows})
    keys: dict[tuple[str, ...], dict[str, PaperRow]] = {}
    for row in rows:
        name = WORDS.get(row.model, clean(row.model))
        keys.setdefault((clean(row.group.name), name) if several else (name,), {})[row.data] = row
    order = {WORDS.get(model, model): index for index, model in enumerate(_ordered(row.model for row in rows))}
    ranked = sorted(keys, key=lambda key: (list(dict.fromkeys(k[:-1] for k in keys)).index(key[:-1]), order[key[-1]]))
    costs = [cost for cost in COSTS if any(row.spreads[cost].n for row in rows if cost in row.spreads)]
    columns = (*SHOWN, *costs)
    names = ", ".join(_data_names(rows))
    return _table(
        "models", f"Models on {names}.", ["setting", "model"] if several else ["model"], ranked, keys, columns, notes
    )


def ablation_table(rows: Sequence[PaperRow], notes: Sequence[str]) -> MarkupTable:
    """A row per setting: check marks for the parts that are on, and the figures of the last trained model."""
    model = _ordered(row.model for row in rows if row.model not in REFERENCES)[-1]
    own = [row for row in rows if row.model == model]
    names = [name for name in differing([row.group.members[0] for row in own]) if not name.startswith("data.")]
    if not names:
        raise UserError("these evaluations differ in no setting", remedy="Run several: engine sweep KEY=A,B seed=1..3")
    values = {name: [row.group.members[0].settings.get(name) for row in own] for name in names}
    keys: dict[tuple[str, ...], dict[str, PaperRow]] = {}
    for index, row in enumerate(own):
        keys.setdefault(tuple(part(values[name], values[name][index]) for name in names), {})[row.data] = row
    caption = f"What the parts contribute to the {model} model on {', '.join(_data_names(own))}."
    ends = [name.rpartition(".")[2] for name in names]
    heads = [end if ends.count(end) == 1 else name for end, name in zip(ends, names, strict=True)]
    return _table("ablation", caption, heads, list(keys), keys, SHOWN, notes)


def part(values: Sequence[object], value: object) -> str:
    """A setting's value: nothing where it is off, a check mark where it is on and only on or off, else the value."""
    off = (None, False, 0, "none", "null", "")
    on = {repr(one) for one in values if one not in off}
    if value in off and on:
        return ""
    return CHECK if len(on) == 1 and any(one in off for one in values) else setting(value)


def write_csv(rows: Sequence[PaperRow], file: IO[str]) -> int:
    """A line per data set, setting, model and metric or cost; returns their number."""
    columns = ["data", "setting", "model", "metric", "mean", "sd", "n", "mark"]
    lines = [
        [row.data, row.group.name, row.model, metric, spread.mean, spread.sd, spread.n, row.marks.get(metric, "")]
        for row in rows
        for metric, spread in row.spreads.items()
    ]
    return write_rows(file, columns, lines)


def notes_of(rows: Sequence[PaperRow], protocols: Sequence[str], procedure: Procedure) -> list[str]:
    """What the numbers and marks of a table mean, and the protocols."""
    seeds = max(len(row.group.members) for row in rows)
    spread = "Mean ± standard deviation over seeds." if seeds > 1 else "One seed each, which decides nothing."
    test = "signed ranks" if procedure.test == WILCOXON else "sign flips"
    marks = (
        f"Bold: the best trained model of a column; †: not different from it (paired t over seeds and {test} over rows "
        f"do not both find a difference: {CORRECTED[procedure.correction]} at most .05, for all pairs and metrics)."
    )
    return [spread, marks, *(f"{one}." for one in protocols)]


def _data_sets(members: Sequence[Member]) -> list[_DataSet]:
    parts: dict[tuple[str, str, str], list[Member]] = {}
    for member in members:
        main = evaluated(member, None).main
        parts.setdefault((clean(main["data"]), clean(main["split_rule"]), main["hide_seen"]), []).append(member)
    made = []
    for (data, rule, hide_seen), own in parts.items():
        alike = [key for key in parts if key[0] == data]
        seen = "hidden" if hide_seen == "true" else "not hidden"
        targets = {member.entry.id: evaluated(member, hide_seen).targets for member in own}
        groups = [
            one
            for group in by_experiment(own)
            for one in repetitions(group, [targets[member.entry.id] for member in group.members])
        ]
        found = [[evaluated(member, hide_seen) for member in group.members] for group in groups]
        (line, *_) = results_of([own[0].entry.folder])
        name = data if len(alike) == 1 else f"{data} ({rule}, seen items {seen})"
        others = [one for one in dict.fromkeys(targets.values()) if one != line["targets_hash"]]
        text = protocol(line) + (f", of other runs {', '.join(others)}" if others else "")
        made.append(_DataSet(name, hide_seen, text, groups, found))
    return made


def _rows(data: _DataSet, procedure: Procedure) -> list[PaperRow]:
    spreads: list[dict[str, dict[str, Spread]]] = []
    values: dict[tuple[int, str, str], list[float | None]] = {}
    for index, found in enumerate(data.found):
        spreads.append({})
        for figure in of_evaluations([found]):
            model = str(figure.model)
            spreads[index].setdefault(model, {})[figure.metric] = spread_of(figure.values[0])
            values[index, model, figure.metric] = figure.values[0]
    variants = [(index, model) for index, own in enumerate(spreads) for model in own if model not in REFERENCES]
    marks = _marks(data, variants, values, procedure)
    return [
        PaperRow(data.name, data.groups[index], model, metrics, marks.get((index, model), {}))
        for index, own in enumerate(spreads)
        for model, metrics in own.items()
    ]


def _marks(
    data: _DataSet,
    variants: Sequence[tuple[int, str]],
    values: Mapping[tuple[int, str, str], list[float | None]],
    procedure: Procedure,
) -> dict[tuple[int, str], dict[str, str]]:
    """The best of every metric, and those that the tests of all pairs of variants do not tell apart from it."""

    @functools.cache
    def ranked(group: int, index: int) -> RowValues:
        return row_values(data.groups[group].members[index], data.hide_seen)

    samples, seed = (data.groups[0].members[0].settings[f"evaluate.{name}"] for name in DRAWN)
    tests = len(SHOWN) * len(variants) * (len(variants) - 1) // 2
    sampling = Sampling(max(samples, ENOUGH * tests), seed)
    raw, keys = [], []
    for metric in SHOWN:
        for pair in itertools.combinations(variants, 2):
            sides = [values[group, model, metric] for group, model in pair]
            figure = Figure(metric, "pair", "max", sides, tested=True)

            def own(side: int, index: int, pair: Sequence[tuple[int, str]] = pair, metric: str = metric) -> RowValues:
                group, model = pair[side]
                return {("pair", metric): ranked(group, index)[model, metric]}

            targets = [[one.targets for one in data.found[group]] for group, _ in pair]
            groups = [data.groups[group] for group, _ in pair]
            raw += uncorrected(groups, [figure], own, targets, sampling, procedure)
            keys.append((metric, *pair))
    verdicts = {
        key: agreed(*({one.over: one for one in differences}.get(over) for over in (SEEDS, ROWS)))
        for key, differences in zip(keys, decided([None] * len(raw), raw, procedure), strict=True)
    }
    marks: dict[tuple[int, str], dict[str, str]] = {variant: {} for variant in variants}
    for metric in SHOWN:
        means = {one: mean for one in variants if (mean := spread_of(values[*one, metric]).mean) is not None}
        best = max(means, key=lambda one: means[one], default=None)
        for one in means:
            if best is None or one == best:
                marks[one][metric] = BEST
            elif verdicts.get((metric, one, best)) != "better" and verdicts.get((metric, best, one)) != "worse":
                marks[one][metric] = ALIKE
    return marks


def _table(
    label: str,
    caption: str,
    stub: Sequence[str],
    order: Sequence[tuple[str, ...]],
    keys: Mapping[tuple[str, ...], Mapping[str, PaperRow]],
    columns: Sequence[str],
    notes: Sequence[str],
) -> MarkupTable:
    names = list(dict.fromkeys(name for own in keys.values() for name in own))
    rows = [(key, [_cell(keys[key].get(name), column) for name in names for column in columns]) for key in order]
    heads = [HEADS.get(column, column) for column in columns]
    return MarkupTable(label, caption, stub, [(name, heads) for name in names], rows, notes)


def _cell(row: PaperRow | None, column: str) -> MarkupCell:
    spread = row.spreads.get(column) if row else None
    if row is None or spread is None or spread.mean is None:
        return MarkupCell(NOTHING)
    text = fixed(spread.mean, DIGITS[column]) if column in DIGITS else mean_sd(spread.mean, spread.sd)
    mark = row.marks.get(column)
    return MarkupCell(text, mark == BEST, mark == ALIKE)


def _ordered(models: Iterable[str]) -> list[str]:
    """Models in the order of the stages, the ceiling last."""
    return sorted(set(models), key=lambda model: (model == CEILING, list(MODELS).index(model)))


def _data_names(rows: Sequence[PaperRow]) -> list[str]:
    return list(dict.fromkeys(row.data for row in rows))
