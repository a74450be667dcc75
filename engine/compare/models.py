"""The models of one evaluation, repeated with several seeds, against each other: is the distilled one better?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from engine.compare import words
from engine.compare.differences import RowValues, Sampling, compare
from engine.compare.figures import COSTS, TESTED, Evaluated, Figure, evaluated, of_evaluations, row_values
from engine.compare.groups import Group
from engine.compare.parts import METRIC, Part, parts, sentence
from engine.compare.parts import lines as part_lines
from engine.compare.report import DRAWN, spread_of
from engine.report.csv_files import write_rows
from engine.report.evaluation import WORDS
from engine.report.numbers import NOTHING, fixed, mean_sd
from engine.report.tables import align, wrapped
from engine.stages import MODELS
from engine.wire import GroupDifference, Spread


@dataclass(frozen=True)
class Versus:
    """How ``model`` differs from ``baseline`` in one metric, over seeds and over rows."""

    model: str
    baseline: str
    metric: str
    differences: list[GroupDifference]


@dataclass(frozen=True)
class Standing:
    """The models of one setting: metric by metric their spread over seeds, and how they differ."""

    name: str
    seeds: list[int]
    runs: list[str]
    protocol: str
    spreads: dict[str, dict[str, Spread]]  # model -> metric
    versus: list[Versus]
    parts: list[Part]  # head, tail, short histories, ...
    verdict: list[str]


def standing(group: Group, protocol: str) -> Standing:
    """Read the evaluations of a group and hold their models against each other."""
    hide_seen = evaluated(group.members[0], None).main["hide_seen"]
    found = [evaluated(member, hide_seen) for member in group.members]
    rows: dict[int, RowValues] = {}

    def values(place: int) -> RowValues:
        if place not in rows:
            rows[place] = row_values(group.members[place], hide_seen)
        return rows[place]

    spreads: dict[str, dict[str, Spread]] = {}
    for figure in of_evaluations([found]):
        spreads.setdefault(str(figure.model), {})[figure.metric] = spread_of(figure.values[0])
    versus: list[Versus] = []
    for baseline, model in pairs([model for model in spreads if model != "oracle"]):
        figures = [_figure(metric, baseline, model, found) for metric in TESTED]
        sampling = Sampling(*(group.members[0].settings[f"evaluate.{name}"] for name in DRAWN))
        targets = [[one.targets for one in found]] * 2

        def rows_of(side: int, place: int, pair: tuple[str, str] = (baseline, model)) -> RowValues:
            return {(pair[1], metric): values(place)[pair[side], metric] for metric in TESTED}

        differences = compare([group, group], figures, rows_of, targets, sampling)
        versus += [Versus(model, baseline, metric, own) for metric, own in zip(TESTED, differences, strict=True) if own]
    told = parts(group, list(spreads), list(dict.fromkeys((one.baseline, one.model) for one in versus)), hide_seen)
    return Standing(
        group.name,
        group.seeds,
        [member.entry.id for member in group.members],
        protocol,
        spreads,
        versus,
        told,
        [_sentence(one) + sentence(told, one.baseline, one.model) for one in versus if one.metric == TESTED[0]],
    )


def pairs(models: Sequence[str]) -> list[tuple[str, str]]:
    """(baseline, model): each model against the student, the student against the floor, and those taught by a teacher.

    Without a student the floor is everybody's baseline.
    """
    order = [model for model in MODELS if model in models]
    first = "student" if "student" in order else "popularity"
    return [
        (baseline, model)
        for place, baseline in enumerate(order)
        for model in order[place + 1 :]
        if baseline == "teacher" or baseline == (first if model != "student" else "popularity")
    ]


def _figure(metric: str, baseline: str, model: str, found: Sequence[Evaluated]) -> Figure:
    sides = [[_value(one, side, metric) for one in found] for side in (baseline, model)]
    return Figure(metric, model, "max", sides, asked=True)


def _value(one: Evaluated, model: str, metric: str) -> float | None:
    return float(one.rows[model][metric]) if model in one.rows else None


def _sentence(one: Versus) -> str:
    return words.sentence(one.baseline, one.model, None, one.metric, {d.over: d for d in one.differences})


def text(found: Standing) -> str:
    """The models of one setting as a table, and how they differ in sentences."""
    cells = [
        [
            WORDS.get(model, model),
            *(mean_sd(own[name].mean, own[name].sd) for name in ("hr@10", "ndcg@10")),
            *(
                fixed(own[name].mean, digits) if name in own else NOTHING
                for name, digits in (("mrr", 4), *zip(COSTS, (1, 2), strict=True))
            ),
        ]
        for model, own in sorted(found.spreads.items(), key=lambda pair: pair[0] == "oracle")
    ]
    seeds = ", ".join(map(str, found.seeds))
    n = f"mean ± standard deviation over seeds {seeds}" if len(found.seeds) > 1 else f"seed {seeds}"
    table = align(["model", "hr@10", "ndcg@10", "mrr", "train s", "ms/request"], cells)
    told = [*part_lines(found.parts), ""] if found.parts else []
    lines = [*wrapped(f"{found.name}: {n}"), *wrapped(found.protocol), *table, "", *told]
    return "\n".join([*lines, *(line for sentence in found.verdict for line in wrapped(sentence))])


def write_csv(found: Sequence[Standing], file: IO[str]) -> int:
    """One row per setting, part of the test rows, model and metric; tells how many."""
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
