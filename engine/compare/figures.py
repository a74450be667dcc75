"""What the runs of a comparison measured: figures of a training's kept checkpoint, or of an evaluation's test rows.

Letters: R rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.compare.groups import Group, Member
from engine.jobs.store import Entry
from engine.report.evaluation import ABOUT, Row, best_untrained, read
from engine.report.verdicts import is_least
from engine.runs.reader import History, history
from engine.runs.schema import ARTIFACTS
from engine.runs.text import clean
from engine.stages import (
    COMPARISONS,
    METRICS_TABLE,
    MODELS,
    OVERLAPS,
    REFERENCES,
    REQUEST_TIMES,
    ROW_RANKS,
    STAGES,
    TRAIN_TOKENS,
    VAL_NDCG,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TESTED = ("ndcg@10", "hr@10", "mrr")  # metrics of an evaluation that are tested for a difference
# Shown, not tested: wall times of a shared machine are no evidence.
COSTS = ("train_seconds", TRAIN_TOKENS, *REQUEST_TIMES)


@dataclass(frozen=True)
class Figure:
    """One metric of one model: a value per member of each group, None where a run has none."""

    metric: str
    model: str | None  # None: of a training
    goal: str  # max, min or "": neither is better
    values: list[list[float | None]]
    tested: bool  # whether the groups are tested for a difference


def of_trainings(groups: Sequence[Group]) -> list[Figure]:
    """Metrics of the evaluation whose checkpoint was kept, and the last reported values of the others."""
    stages = {member.entry.info.stage for group in groups for member in group.members}
    declared = {metric.name: metric for stage in STAGES if stage in stages for metric in STAGES[stage].metrics}
    kept = [[kept_metrics(member.entry) for member in group.members] for group in groups]
    figures = []
    for name, metric in declared.items():
        validated = any(name in one for group in kept for one in group)
        values = (
            [[one.get(name) for one in group] for group in kept]
            if validated
            else [[_last(member, name) for member in group.members] for group in groups]
        )
        known = [any(value is not None for value in group) for group in values]
        if all(known) if len(stages) > 1 else any(known):
            figures.append(Figure(name, None, metric.goal, values, tested=validated))
    return figures


def kept_metrics(run: Entry) -> dict[str, float]:
    """The same of a run, without reading its events where its summary has them."""
    kept = run.summary.kept if run.summary else {}
    return dict(kept) if kept else kept_evaluation(history(run.folder))


def kept_evaluation(history: History) -> dict[str, float]:
    """Metrics of the best evaluation, whose weights were kept; empty before the first one."""
    return next((dict(one.values) for one in reversed(history.evaluations) if one.best), {})


def _last(member: Member, name: str) -> float | None:
    summary = member.entry.summary
    return summary.last.get(name) if summary else None


@dataclass(frozen=True)
class Evaluated:
    """One evaluation's test rows under the protocol of the comparison."""

    rows: Mapping[str, Row]  # by model: its line of the metrics table
    validation: Mapping[str, Row]  # the same for the validation rows
    main: Row  # any line under the evaluation's own main protocol
    best_untrained: str  # of its models that need no training; "" where it ranked none
    below: Mapping[str, str]  # trained model -> the untrained one that the evaluation found to rank above it

    @property
    def targets(self) -> str:
        return self.main["targets_hash"]

    @property
    def about(self) -> str:
        """What was ranked under the names of models that do not say it."""
        return clean(self.main.get(ABOUT) or "", 2000)


def evaluated(member: Member, hide_seen: str | None) -> Evaluated:
    """Rows of a finished evaluation with seen items hidden ("true") or not; None: as its settings say."""
    table = read(member.entry.folder, METRICS_TABLE)
    main = next(row for row in table if row["split"] == "test" and row["main"] == "true")
    wanted = hide_seen or main["hide_seen"]
    tested, validated = (
        {
            row["model"]: row
            for row in table
            if (row["split"], row["hide_seen"], row["candidates"]) == (split, wanted, "all")
        }
        for split in ("test", "validation")
    )
    untrained = best_untrained(table)
    return Evaluated(tested, validated, main, untrained, _below(member, untrained))


def _below(member: Member, untrained: str) -> dict[str, str]:
    """Models that rank below the best untrained one by the paired test of their own evaluation."""
    folder = member.entry.folder
    if not (folder / ARTIFACTS / COMPARISONS.file).exists():  # it ranked one model, or is of an old version
        return {}
    return {
        row["model"]: row["baseline"]
        for row in read(folder, COMPARISONS)
        if is_least(row["baseline"], untrained)
        and (row["metric"], row["slice"], row["verdict"]) == (TESTED[0], "all", "worse")
    }


def of_evaluations(found: Sequence[Sequence[Evaluated]]) -> list[Figure]:
    """Metrics and costs of every model that any of the evaluations ranked, floor first."""
    models = [model for model in MODELS if any(model in one.rows for group in found for one in group)]
    figures = []
    for model in models:
        for name in (*TESTED, *COSTS):
            values = [[_number(one.rows.get(model), name) for one in group] for group in found]
            if any(value is not None for group in values for value in group):
                tested = name in TESTED and model not in (*REFERENCES, *shared(found))
                figures.append(Figure(name, model, "max" if name in TESTED else "", values, tested))
    return figures


def shared(found: Sequence[Sequence[Evaluated]]) -> dict[str, list[str]]:
    """Model -> the runs that trained it, for models that are the same runs in every group."""
    same: dict[str, list[str]] = {}
    for model in (model for model in MODELS if model not in REFERENCES):
        first, *others = [[one.rows.get(model, {}).get("made_by", "") for one in group] for group in found]
        if others and all(first) and all(own == first for own in others):
            same[model] = first
    return same


def of_validation(found: Sequence[Sequence[Evaluated]]) -> list[Figure]:
    """NDCG@10 on validation rows of every trained model, by which settings may be selected."""
    figures = []
    for model in (model for model in MODELS if model not in REFERENCES):
        values = [[_number(one.validation.get(model), TESTED[0]) for one in group] for group in found]
        if any(value is not None for group in values for value in group):
            figures.append(Figure(VAL_NDCG.name, model, VAL_NDCG.goal, values, tested=False))
    return figures


def _number(row: Row | None, name: str) -> float | None:
    return float(row[name]) if row and row.get(name) else None


def overlaps_of(member: Member) -> dict[tuple[str, str], float]:
    """(model, model) -> share of common first items on test rows; empty where the evaluation wrote no overlaps."""
    if not (member.entry.folder / ARTIFACTS / OVERLAPS.file).exists():  # an evaluation of an older version
        return {}
    hide_seen = evaluated(member, None).main["hide_seen"]
    return {
        (row["model"], row["other"]): float(row["overlap"])
        for row in read(member.entry.folder, OVERLAPS)
        if row["hide_seen"] == hide_seen and not {row["model"], row["other"]} & {*REFERENCES}
    }


def row_values(member: Member, hide_seen: str) -> dict[tuple[str, str], "NDArray[np.float64]"]:
    """(model, metric) -> its value on every test row [R], in order of the rows."""
    import pyarrow.parquet as pq  # here, with torch behind the figures: a comparison of trainings needs neither

    from engine.evaluate.figures import per_row

    table = pq.read_table(
        member.entry.folder / ARTIFACTS / ROW_RANKS.file,
        columns=["model", "row", "rank"],
        filters=[("split", "=", "test"), ("candidates", "=", "all"), ("hide_seen", "=", hide_seen == "true")],
    )
    models, ranks = table["model"].to_numpy(), table["rank"].to_numpy()
    order = table["row"].to_numpy().argsort(kind="stable")
    models, ranks = models[order], ranks[order]
    result: dict[tuple[str, str], NDArray[np.float64]] = {}
    for model in dict.fromkeys(models.tolist()):
        values = per_row(ranks[models == model])
        result |= {(model, metric): values[metric] for metric in TESTED}
    return result
