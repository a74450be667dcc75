"""Models compared over seeds on slices of the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from engine.compare.differences import USUAL, Procedure
from engine.compare.groups import Group, Member
from engine.compare.report import spread_of
from engine.metrics.statistics import BENJAMINI_HOCHBERG, PairedDifference, benjamini_hochberg, holm, paired_t
from engine.report.evaluation import read
from engine.report.numbers import fixed
from engine.report.tables import fitted
from engine.runs.schema import ARTIFACTS
from engine.stages import CEILING, SLICES_TABLE
from engine.wire import Spread

METRIC = "ndcg@10"
VERDICTS = ("better", "worse", "undecided")


@dataclass(frozen=True)
class SliceDifference:
    """``model`` minus ``baseline`` on one slice, over seeds; ``p_holm`` and ``p_bh`` are corrected for all."""

    model: str
    baseline: str
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    n: int
    verdict: str  # better, worse or undecided
    p_bh: float


@dataclass(frozen=True)
class SliceComparison:
    """One slice of the test rows: NDCG@10 of every model over seeds, and how the models differ."""

    name: str
    rows: float  # mean over seeds
    spreads: dict[str, Spread]  # by model
    versus: list[SliceDifference]  # empty for one seed


def compare_slices(
    group: Group,
    models: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    hide_seen: str,
    procedure: Procedure = USUAL,
) -> list[SliceComparison]:
    """Every slice of the evaluations' tables, over the seeds that have it. ``pairs`` are (baseline, model)."""
    tables = [_table(member, hide_seen) for member in group.members]
    names = list(dict.fromkeys(name for table in tables for name in table))
    versus: dict[str, list[SliceDifference]] = {name: [] for name in names}
    found: dict[tuple[tuple[str, str], str], PairedDifference] = {}
    for baseline, model in pairs:
        for name in names:
            both = [own for table in tables if {baseline, model} <= (own := table.get(name, {})).keys()]
            if len(both) > 1:
                a, b = ([own[side].value for own in both] for side in (baseline, model))
                found[(baseline, model), name] = paired_t(a, b)
    p = [d.p for d in found.values()]
    for (((baseline, model), name), d), by_holm, by_bh in zip(
        found.items(), holm(p), benjamini_hochberg(p), strict=True
    ):
        verdict = replace(d, p=by_bh if procedure.correction == BENJAMINI_HOCHBERG else by_holm).verdict()
        versus[name].append(SliceDifference(model, baseline, d.mean, d.low, d.high, d.p, by_holm, d.n, verdict, by_bh))
    made = []
    for name in names:
        cells = [table.get(name, {}) for table in tables]
        spreads = {model: spread_of([own[model].value if model in own else None for own in cells]) for model in models}
        made.append(
            SliceComparison(name, fmean(one.rows for own in cells for one in own.values()), spreads, versus[name])
        )
    return made


@dataclass(frozen=True)
class _Cell:
    rows: int
    value: float


def _table(member: Member, hide_seen: str) -> dict[str, dict[str, _Cell]]:
    """Slice -> model -> number of rows and metric, from the table of one evaluation."""
    table: dict[str, dict[str, _Cell]] = {}
    if (member.entry.folder / ARTIFACTS / SLICES_TABLE.file).exists():
        for row in read(member.entry.folder, SLICES_TABLE):
            if (row["split"], row["hide_seen"], row["candidates"]) == ("test", hide_seen, "all"):
                table.setdefault(row["slice"], {})[row["model"]] = _Cell(int(row["rows"]), float(row[METRIC]))
    return table


def lines(found: Sequence[SliceComparison]) -> list[str]:
    """One line per slice, one column per model: means over seeds."""
    models = [model for model in found[0].spreads if model != CEILING] if found else []
    cells = [[part.name, f"{part.rows:,.0f}", *(fixed(part.spreads[model].mean) for model in models)] for part in found]
    return fitted([f"{METRIC} on", "rows", *models], cells) if found else []


def sentence(found: Sequence[SliceComparison], baseline: str, model: str) -> str:
    """`` Over seeds better on tail; undecided on head.`` for one pair; empty where no slice was tested."""
    pair = (baseline, model)
    verdicts = {part.name: one.verdict for part in found for one in part.versus if (one.baseline, one.model) == pair}
    named = [
        f"{verdict} on {', '.join(names)}"
        for verdict in VERDICTS
        if (names := [name for name, own in verdicts.items() if own == verdict])
    ]
    return f" Over seeds {'; '.join(named)}." if named else ""
