"""The result of an evaluation as its screens draw it: figures with margins, slices, differences of models.

Every number and sentence is the engine's; nothing is decided here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.report.evaluation import PARTS, EvaluationTables, Row, ends, label
from engine.report.verdicts import BELOW, is_least, shown
from engine.stages import BASELINE, FLOOR, REFERENCES

REFUSED = "refused"  # verdict on a pair whose winner ranks below an untrained model
METRICS = ("ndcg@10", "hr@10", "mrr", "hr@1")  # those with an interval
ALL_ROWS = "all"


@dataclass(frozen=True)
class ModelFigure:
    """A metric of a model and the ends of its 95 % interval."""

    model: str
    value: float
    low: float
    high: float

    @property
    def label(self) -> str:
        return label(self.model)

    @property
    def reference(self) -> bool:
        """Whether it is no trained model: the floor, another untrained one or the ceiling."""
        return self.model in REFERENCES


@dataclass(frozen=True)
class ModelPair:
    """``model`` minus ``baseline`` in a metric on a slice, as the evaluation tested it. ``p`` is Holm's."""

    model: str
    baseline: str
    metric: str
    part: str
    rows: int
    before: float
    mean: float
    low: float
    high: float
    percent: float | None
    p: float
    verdict: str


@dataclass(frozen=True)
class EvaluationResult:
    """The tables of one finished evaluation."""

    run: str
    tables: EvaluationTables

    def figures(self, metric: str) -> list[ModelFigure]:
        """A figure per model under the main protocol, floor first and ceiling last."""
        found = []
        for row in self.tables.main:
            found.append(ModelFigure(row["model"], number(row, metric), *ends(row, metric)))
        return found

    @property
    def models(self) -> list[str]:
        return [row["model"] for row in self.tables.main]

    @property
    def slices(self) -> dict[str, dict[str, Row]]:
        """Slice -> model -> its row."""
        found: dict[str, dict[str, Row]] = {}
        for row in self.tables.slices:
            found.setdefault(row["slice"], {})[row["model"]] = row
        return found

    def on_parts(self, model: str) -> dict[str, float | None]:
        """NDCG@10 of a model on the rows of tail and of cold items; None where there are none."""
        rows = {name: self.tables.part(name).get(model) for name in PARTS}
        return {name: number(row, METRICS[0]) if row else None for name, row in rows.items()}

    def rows_of(self, part: str) -> str:
        """How many test rows are in a slice."""
        return f"{int(next(iter(self.tables.part(part).values()), {'rows': '0'})['rows']):,}"

    @cached_property
    def pairs(self) -> list[ModelPair]:
        """Every tested difference of two models; those with a sentence first."""
        found = [_pair(row) for row in self.tables.compared if row["metric"] in METRICS]
        return sorted(found, key=lambda pair: not self.sentenced(pair.model, pair.baseline))

    def sentenced(self, model: str, baseline: str) -> bool:
        """Whether the engine has a sentence about a pair; the others are corrected each by itself."""
        least = baseline != FLOOR and is_least(baseline, self.tables.best_untrained)
        return shown(model, baseline, self.models) or least

    def verdict(self, model: str, metric: str, part: str) -> str:
        """How a model differs on a slice from the student, or the student from popularity; "" where not tested."""
        against = FLOOR if model == BASELINE or BASELINE not in self.models else BASELINE
        key = (model, against, metric, part)
        return next((one.verdict for one in self.pairs if (one.model, one.baseline, one.metric, one.part) == key), "")


def number(row: Row, name: str) -> float:
    """A number of a table; not a number where the row has none."""
    return float(row.get(name) or math.nan)


def _pair(row: Row) -> ModelPair:
    return ModelPair(
        row["model"],
        row["baseline"],
        row["metric"],
        row["slice"],
        int(row["rows"]),
        float(row["baseline value"]),
        float(row["difference"]),
        float(row["low"]),
        float(row["high"]),
        100 * float(row["relative"]) if row["relative"] else None,
        float(row["p"]),
        REFUSED if row.get(BELOW) else row["verdict"],
    )


def pairs_on_all_rows(pairs: Sequence[ModelPair], metric: str) -> list[ModelPair]:
    """The pairs on all rows in one metric."""
    return [one for one in pairs if one.part == ALL_ROWS and one.metric == metric]
