"""Models of one evaluation compared with each other over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from engine.compare import sentences, slices
from engine.compare.differences import USUAL, Procedure, RowValues, Sampling, compare
from engine.compare.figures import TESTED, Evaluated, Figure, evaluated, of_evaluations, row_values
from engine.compare.groups import Group, data_settings
from engine.compare.report import DRAWN, below, spread_of
from engine.compare.slices import METRIC, SliceComparison
from engine.report import results, searches
from engine.report.csv_files import write_rows
from engine.report.evaluation import costs_of, label
from engine.report.numbers import NOTHING, fixed, mean_sd
from engine.report.tables import fitted, wrapped
from engine.report.verdicts import least, shown
from engine.stages import CEILING, MODELS, REFERENCES
from engine.wire import GroupDifference, Spread


@dataclass(frozen=True)
class ModelDifference:
    """How ``model`` differs from ``baseline`` in one metric, over seeds and over rows."""

    model: str
    baseline: str
    metric: str
    differences: list[GroupDifference]


@dataclass(frozen=True)
class ModelComparison:
    """The models of one setting: the spread of every metric over seeds, and how the models differ."""

    name: str
    seeds: list[int]
    runs: list[str]
    protocol: str
    search: str  # how long the search for the settings was
    spreads: dict[str, dict[str, Spread]]  # model -> metric
    versus: list[ModelDifference]
    parts: list[SliceComparison]  # slices of the test rows: head, tail, short histories, ...
    verdict: list[str]


def compare_models(group: Group, protocol: str, procedure: Procedure = USUAL) -> ModelComparison:
    """Read the evaluations of a group and compare their models."""
    hide_seen = evaluated(group.members[0], None).main["hide_seen"]
    found = [evaluated(member, hide_seen) for member in group.members]
    rows: dict[int, RowValues] = {}

    def values(index: int) -> RowValues:
        if index not in rows:
            rows[index] = row_values(group.members[index], hide_seen)
        return rows[index]

    spreads: dict[str, dict[str, Spread]] = {}
    for figure in of_evaluations([found]):
        spreads.setdefault(str(figure.model), {})[figure.metric] = spread_of(figure.values[0])
    compared = pairs([model for model in spreads if model != CEILING])
    others = least([model for model in spreads if model not in REFERENCES], found[0].best_untrained, spreads)
    keys = [(pair, metric) for pair in (*compared, *others) for metric in TESTED]
    sampling = Sampling(*(group.members[0].settings[f"evaluate.{name}"] for name in DRAWN))
    targets = [[one.targets for one in found]] * 2

    def rows_of(side: int, index: int) -> RowValues:
        own = values(index)
        return {(_name(pair), metric): own[key] for pair, metric in keys if (key := (pair[side], metric)) in own}

    differences = [
        one
        for family in (compared, others)  # each is corrected for itself
        for one in compare(
            [group, group],
            [_figure(metric, pair, found) for pair in family for metric in TESTED],
            rows_of,
            targets,
            sampling,
            True,
            procedure,
        )
    ]
    versus = [
        ModelDifference(pair[1], pair[0], metric, own)
        for (pair, metric), own in zip(keys, differences, strict=True)
        if own
    ]
    both = list(dict.fromkeys((one.baseline, one.model) for one in versus))
    parts = slices.compare_slices(group, list(spreads), both, hide_seen, procedure)
    return ModelComparison(
        group.name,
        group.seeds,
        [member.entry.id for member in group.members],
        protocol,
        _search(group, list(spreads)),
        spreads,
        versus,
        parts,
        [
            _sentence(one, below([found])[0]) + slices.sentence(parts, one.baseline, one.model)
            for one in versus
            if one.metric == TESTED[0]
        ],
    )


def protocol_of(group: Group, rows: Sequence[Mapping[str, Any]]) -> str:
    """The protocol of a group's evaluations, given a row of each one's table; every set of test targets is named."""
    first, *others = rows
    text = results.protocol(dict(first))
    own = {seed: row["targets_hash"] for seed, row in zip(group.seeds[1:], others, strict=True)}
    if set(own.values()) <= {first["targets_hash"]}:
        return text
    listed = ", ".join(f"{targets} (seed {seed})" for seed, targets in own.items())
    return (
        f"{text} (seed {group.seeds[0]}), {listed}: each seed has data of its own "
        f"({', '.join(data_settings(group))}), and the spread over seeds is one over data too"
    )


def _search(group: Group, models: Sequence[str]) -> str:
    """The trials behind the models; every count where the runs were made with different ones."""
    return " / ".join(
        dict.fromkeys(searches.sentence(searches.sizes(member.settings, models)) for member in group.members)
    )


def pairs(models: Sequence[str]) -> list[tuple[str, str]]:
    """(baseline, model): the pairs that get a sentence, baselines first."""
    order = [model for model in MODELS if model in models]
    return [
        (baseline, model)
        for index, baseline in enumerate(order)
        for model in order[index + 1 :]
        if shown(model, baseline, models)
    ]


def _name(pair: tuple[str, str]) -> str:
    return " ".join(pair)


def _figure(metric: str, pair: tuple[str, str], found: Sequence[Evaluated]) -> Figure:
    sides = [[_value(one, side, metric) for one in found] for side in pair]
    return Figure(metric, _name(pair), "max", sides, tested=True)


def _value(one: Evaluated, model: str, metric: str) -> float | None:
    return float(one.rows[model][metric]) if model in one.rows else None


def _sentence(one: ModelDifference, below: Mapping[str, str]) -> str:
    return sentences.sentence(one.baseline, one.model, None, one.metric, {d.over: d for d in one.differences}, below)


def text(found: ModelComparison) -> str:
    """A table of the models of one setting, and sentences about their differences."""
    costs = costs_of([{name: spread.mean for name, spread in own.items()} for own in found.spreads.values()])
    cells = [
        [
            label(model),
            *(mean_sd(own[name].mean, own[name].sd) for name in ("hr@10", "ndcg@10")),
            *(
                fixed(own[name].mean, digits) if name in own else NOTHING
                for name, digits in (("mrr", 4), *costs.values())
            ),
        ]
        for model, own in sorted(found.spreads.items(), key=lambda pair: pair[0] == CEILING)
    ]
    seeds = ", ".join(map(str, found.seeds))
    n = f"mean ± standard deviation over seeds {seeds}" if len(found.seeds) > 1 else f"seed {seeds}"
    table = fitted(["model", "hr@10", "ndcg@10", "mrr", *costs], cells)
    sliced = [*slices.lines(found.parts), ""] if found.parts else []
    lines = [*wrapped(f"{found.name}: {n}"), *wrapped(found.protocol), *table, *wrapped(found.search), "", *sliced]
    return "\n".join([*lines, *(line for sentence in found.verdict for line in wrapped(sentence))])


def write_csv(found: Sequence[ModelComparison], file: IO[str]) -> int:
    """One row per setting, slice of the test rows, model and metric; returns the number of rows."""
    columns = ["setting", "seeds", "rows", "model", "metric", "mean", "sd", "n"]
    lines = [
        [one.name, " ".join(map(str, one.seeds)), part, model, metric, spread.mean, spread.sd, spread.n]
        for one in found
        for part, model, metric, spread in [
            *(("all", model, metric, spread) for model, own in one.spreads.items() for metric, spread in own.items()),
            *((part.name, model, METRIC, spread) for part in one.parts for model, spread in part.spreads.items()),
        ]
    ]
    return write_rows(file, columns, lines)
