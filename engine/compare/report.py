"""A whole comparison (``engine.wire.Comparison``) from run folders, and the rows of its CSV."""

import functools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import IO, Any

from engine.compare import words
from engine.compare.differences import RowValues, Sampling, compare
from engine.compare.figures import (
    TESTED,
    Evaluated,
    Figure,
    evaluated,
    of_evaluations,
    of_trainings,
    overlaps_of,
    row_values,
)
from engine.compare.groups import Group, sections
from engine.compare.notes import notes
from engine.jobs.state import State
from engine.report.csv_files import write_rows
from engine.report.results import protocol
from engine.report.results import rows as results_of
from engine.wire import (
    ComparedGroup,
    ComparedMetric,
    ComparedRun,
    ComparedSetting,
    Comparison,
    GroupDifference,
    Maker,
    Overlap,
    RunLineage,
    Spread,
)


def build(groups: Sequence[Group]) -> Comparison:
    """Read what the groups measured and compare it."""
    found = evaluations(groups)
    if found:
        hide_seen = found[0][0].main["hide_seen"]
        targets = [[one.targets for one in group] for group in found]
        figures = of_evaluations(found)

        @functools.cache
        def rows(group: int, place: int) -> RowValues:
            return row_values(groups[group].members[place], hide_seen)

        sampling = Sampling(*(groups[0].members[0].settings[f"evaluate.{name}"] for name in DRAWN))
        differences = compare(groups, figures, rows, targets, sampling)
    else:
        figures = of_trainings(groups)
        differences = compare(groups, figures, None, [], Sampling(0, 0))
    metrics = [
        ComparedMetric(figure.metric, figure.model, figure.goal, [spread_of(values) for values in figure.values], own)
        for figure, own in zip(figures, differences, strict=True)
    ]
    return Comparison(
        groups=[_group(group) for group in groups],
        settings=_settings(groups),
        protocol=protocol(results_of([groups[0].members[0].entry.folder])[0]) if found else None,
        metrics=metrics,
        overlaps=_overlaps(groups) if found else [],
        lineage=_lineage(groups),
        notes=notes(groups, found),
        verdict=list(words.verdicts([group.name for group in groups], _asked(figures, differences))),
    )


DRAWN = ("samples", "candidate_seed")  # the same draws as the evaluation's own comparisons


def evaluations(groups: Sequence[Group]) -> list[list[Evaluated]]:
    """The tables of all members where every one is a finished evaluation; else nothing."""
    members = [member for group in groups for member in group.members]
    if any(m.entry.info.stage != "evaluate" or m.entry.state is not State.DONE for m in members):
        return []
    hide_seen = evaluated(members[0], None).main["hide_seen"]
    return [[evaluated(member, hide_seen) for member in group.members] for group in groups]


def _asked(
    figures: Sequence[Figure], differences: Sequence[list[GroupDifference]]
) -> list[tuple[str | None, str, list[GroupDifference]]]:
    """What a sentence is due: of an evaluation its first metric, the others stand in the tables."""
    return [
        (figure.model, figure.metric, own)
        for figure, own in zip(figures, differences, strict=True)
        if figure.asked and (figure.model is None or figure.metric == TESTED[0])
    ]


def spread_of(values: list[float | None]) -> Spread:
    """Mean and standard deviation of the values that are there."""
    known = [value for value in values if value is not None]
    return Spread(
        statistics.fmean(known) if known else None,
        statistics.stdev(known) if len(known) > 1 else None,
        len(known),
        values,
    )


def _group(group: Group) -> ComparedGroup:
    return ComparedGroup(
        group.name,
        group.label,
        [
            ComparedRun(
                member.entry.id,
                member.entry.info.stage,
                member.entry.info.experiment,
                member.seed,
                member.entry.state.value,
                bool(member.entry.info.git.get("dirty")),
                member.entry.end.t if member.entry.end else None,
            )
            for member in group.members
        ],
    )


def _settings(groups: Sequence[Group]) -> list[ComparedSetting]:
    """Settings of a stage do not set a group apart that rests on no run of it: ``notes`` tells that it has none."""
    names = dict.fromkeys(name for group in groups for member in group.members for name in member.settings)
    known = [sections(group) for group in groups]
    rows = []
    for name in names:
        values = [group.value(name) for group in groups]
        asked = [value for value, own in zip(values, known, strict=True) if name.partition(".")[0] in own]
        rows.append(ComparedSetting(name, values, all(value == asked[0] for value in asked)))
    return rows


def _overlaps(groups: Sequence[Group]) -> list[Overlap]:
    """Of every two trained models that all runs of a group ranked, under the protocol of their own main figures."""
    told = []
    for place, group in enumerate(groups):
        shares: dict[tuple[str, str], list[float]] = {}
        for member in group.members:
            for pair, value in overlaps_of(member).items():
                shares.setdefault(pair, []).append(value)
        told += [
            Overlap(place, list(pair), statistics.fmean(values))
            for pair, values in shares.items()
            if len(values) == len(group.members)
        ]
    return told


def _lineage(groups: Sequence[Group]) -> list[RunLineage]:
    members = [(place, member) for place, group in enumerate(groups) for member in group.members]
    shared = set.intersection(*({maker.id for maker in member.makers} for _, member in members))
    return [
        RunLineage(
            place,
            member.entry.id,
            [Maker(maker.info.stage, maker.id, maker.id in shared) for maker in member.makers],
        )
        for place, member in members
    ]


def csv_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The metric rows: one per metric, model and difference; one per other group where nothing was tested."""
    for metric in comparison.metrics:
        untested = [(0, other, None) for other in range(1, len(metric.groups))]
        found = [(one.base, one.other, one) for one in metric.differences] or untested
        for base, other, difference in found:
            row: dict[str, Any] = {"metric": metric.metric, "model": metric.model, "goal": metric.goal}
            for side, place in (("base", base), ("other", other)):
                spread = metric.groups[place]
                row |= {side: comparison.groups[place].name, f"{side}_mean": spread.mean}
                row |= {f"{side}_sd": spread.sd, f"{side}_n": spread.n}
            facts = asdict(difference) if difference else {}
            yield row | {name: facts.get(name) for name in DIFFERENCE}


DIFFERENCE = ("mean", "percent", "low", "high", "p", "p_holm", "n", "over", "verdict")


def write_csv(comparison: Comparison, file: IO[str]) -> int:
    """Write the metric rows with every digit that JSON has; returns the number of rows."""
    rows = list(csv_rows(comparison))
    return write_rows(file, list(rows[0]), (list(row.values()) for row in rows)) if rows else 0
