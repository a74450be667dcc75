"""A whole comparison (``engine.wire.Comparison``) from run folders, and the rows of its CSV."""

import functools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import IO, Any

from engine.compare import ablations, sentences
from engine.compare.differences import USUAL, Procedure, RowValues, Sampling, compare
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
from engine.stages import METRICS_TABLE, makes
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


def build(groups: Sequence[Group], procedure: Procedure = USUAL) -> Comparison:
    """The comparison of finished runs, read from their folders."""
    found = evaluations(groups)
    if found:
        hide_seen = found[0][0].main["hide_seen"]
        targets = [[one.targets for one in group] for group in found]
        figures = of_evaluations(found)

        @functools.cache
        def rows(group: int, index: int) -> RowValues:
            return row_values(groups[group].members[index], hide_seen)

        sampling = Sampling(*(groups[0].members[0].settings[f"evaluate.{name}"] for name in DRAWN))
        differences = compare(groups, figures, rows, targets, sampling, procedure=procedure)
    else:
        figures = of_trainings(groups)
        differences = compare(groups, figures, None, [], Sampling(0, 0), procedure=procedure)
    metrics = [
        ComparedMetric(figure.metric, figure.model, figure.goal, [spread_of(values) for values in figure.values], own)
        for figure, own in zip(figures, differences, strict=True)
    ]
    return Comparison(
        groups=[_group(group) for group in groups],
        settings=_settings(groups),
        protocol=_protocol(groups, found) if found else None,
        metrics=metrics,
        overlaps=_overlaps(groups) if found else [],
        lineage=_lineage(groups),
        notes=notes(groups, found),
        verdict=list(sentences.verdicts([group.name for group in groups], _tested(figures, differences), below(found))),
        answers=list(ablations.answers(groups, metrics, below(found))) if found else [],
    )


def below(found: Sequence[Sequence[Evaluated]]) -> list[dict[str, str]]:
    """Of each group: trained model -> the untrained one that ranks above it in any of the group's evaluations."""
    return [{model: least for one in group for model, least in one.below.items()} for group in found]


DRAWN = ("samples", "candidate_seed")  # the same draws as the evaluation's own comparisons


def evaluations(groups: Sequence[Group]) -> list[list[Evaluated]]:
    """The tables of all members where every member is a finished evaluation; else empty."""
    members = [member for group in groups for member in group.members]
    if any(not makes(m.entry.info.stage, METRICS_TABLE) or m.entry.state is not State.DONE for m in members):
        return []
    hide_seen = evaluated(members[0], None).main["hide_seen"]
    return [[evaluated(member, hide_seen) for member in group.members] for group in groups]


def _tested(
    figures: Sequence[Figure], differences: Sequence[list[GroupDifference]]
) -> list[tuple[str | None, str, list[GroupDifference]]]:
    """Differences that get a sentence: for an evaluation only the first metric."""
    return [
        (figure.model, figure.metric, own)
        for figure, own in zip(figures, differences, strict=True)
        if figure.tested and (figure.model is None or figure.metric == TESTED[0])
    ]


def spread_of(values: list[float | None]) -> Spread:
    """Mean and standard deviation of the values that are not None."""
    known = [value for value in values if value is not None]
    return Spread(
        statistics.fmean(known) if known else None,
        statistics.stdev(known) if len(known) > 1 else None,
        len(known),
        values,
    )


def _protocol(groups: Sequence[Group], found: Sequence[Sequence[Evaluated]]) -> str:
    """The protocol of the first evaluation; what its models are where that holds for all (else it is a note)."""
    row = results_of([groups[0].members[0].entry.folder])[0]
    return protocol(row, about=len({one.about for group in found for one in group}) == 1)


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
    """Every setting by group. Groups without a run of the setting's stage are not compared in it (see ``notes``)."""
    names = dict.fromkeys(name for group in groups for member in group.members for name in member.settings)
    known = [sections(group) for group in groups]
    rows = []
    for name in names:
        values = [group.value(name) for group in groups]
        tested = [value for value, own in zip(values, known, strict=True) if name.partition(".")[0] in own]
        rows.append(ComparedSetting(name, values, all(value == tested[0] for value in tested)))
    return rows


def _overlaps(groups: Sequence[Group]) -> list[Overlap]:
    """Overlap of every two trained models that all runs of a group ranked, under their main protocol."""
    overlaps = []
    for index, group in enumerate(groups):
        shares: dict[tuple[str, str], list[float]] = {}
        for member in group.members:
            for pair, value in overlaps_of(member).items():
                shares.setdefault(pair, []).append(value)
        overlaps += [
            Overlap(index, list(pair), statistics.fmean(values))
            for pair, values in shares.items()
            if len(values) == len(group.members)
        ]
    return overlaps


def _lineage(groups: Sequence[Group]) -> list[RunLineage]:
    members = [(index, member) for index, group in enumerate(groups) for member in group.members]
    shared = set.intersection(*({maker.id for maker in member.makers} for _, member in members))
    return [
        RunLineage(
            index,
            member.entry.id,
            [Maker(maker.info.stage, maker.id, maker.id in shared) for maker in member.makers],
        )
        for index, member in members
    ]


def csv_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The metric rows: one per metric, model and difference; one per other group where nothing was tested."""
    for metric in comparison.metrics:
        untested = [(0, other, None) for other in range(1, len(metric.groups))]
        found = [(one.base, one.other, one) for one in metric.differences] or untested
        for base, other, difference in found:
            row: dict[str, Any] = {"metric": metric.metric, "model": metric.model, "goal": metric.goal}
            for side, index in (("base", base), ("other", other)):
                spread = metric.groups[index]
                row |= {side: comparison.groups[index].name, f"{side}_mean": spread.mean}
                row |= {f"{side}_sd": spread.sd, f"{side}_n": spread.n}
            facts = asdict(difference) if difference else {}
            yield row | {name: facts.get(name) for name in DIFFERENCE}


DIFFERENCE = ("mean", "percent", "low", "high", "p", "p_holm", "n", "over", "verdict", "p_bh", "correction", "test")


def write_csv(comparison: Comparison, file: IO[str]) -> int:
    """Write the metric rows with every digit that JSON has; returns the number of rows."""
    rows = list(csv_rows(comparison))
    return write_rows(file, list(rows[0]), (list(row.values()) for row in rows)) if rows else 0
