"""The result of an evaluation as its screens draw it: figures with margins, slices, differences of models.

Every number and sentence is the engine's; nothing is decided here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.report.evaluation import WORDS, EvaluationTables, Row, ends, shown
from engine.stages import BASELINE, FLOOR

CEILING = "oracle"
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
        return WORDS.get(self.model, self.model)

    @property
    def reference(self) -> bool:
        """Whether it is the floor or the ceiling: no trained model."""
        return self.model in (FLOOR, CEILING)


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

    @cached_property
    def pairs(self) -> list[ModelPair]:
        """Every tested difference of two models; those with a sentence first."""
        found = [_pair(row) for row in self.tables.compared if row["metric"] in METRICS]
        return sorted(found, key=lambda pair: not shown(pair.model, pair.baseline, self.models))

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
        row["verdict"],
    )


def pairs_on_all_rows(pairs: Sequence[ModelPair], metric: str) -> list[ModelPair]:
    """The pairs on all rows in one metric."""
    return [one for one in pairs if one.part == ALL_ROWS and one.metric == metric]
