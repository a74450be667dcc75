"""Whether the distilled student or the baseline is what a distillation writes: the gain on validation rows decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.metrics import ranking
from engine.metrics.statistics import mean_interval
from engine.report.numbers import interval
from engine.stages import BASELINE, DISTILLED
from engine.student.model import SequenceModel
from engine.student.validation import Validation

SAMPLES = 2000  # of the bootstrap
CHOSEN, GAIN = "chosen", "validation_gain"  # facts of a run: what it wrote, and (difference, low, high)


@dataclass(frozen=True)
class Gain:
    """Validation NDCG@10 of the distilled student minus the baseline's, with its 95 % interval over rows."""

    difference: float
    low: float
    high: float

    @property
    def chosen(self) -> str:
        """The distilled student where the whole interval lies above zero, else the baseline."""
        return DISTILLED if self.low > 0 else BASELINE

    @property
    def facts(self) -> dict[str, Any]:
        """What a run notes."""
        return {CHOSEN: self.chosen, GAIN: [round(value, 6) for value in (self.difference, self.low, self.high)]}

    def __str__(self) -> str:
        return f"its gain on validation rows is {self.difference:+.4f}, {interval(self.low, self.high)}"


def gain_of(distilled: SequenceModel, baseline: SequenceModel, validation: Validation, seed: int) -> Gain:
    """The gain on these rows; both models are in eval mode."""
    base, own = (ranking.ndcg(validation.ranks(model), 10).cpu().numpy() for model in (baseline, distilled))
    return Gain(float((own - base).mean()), *mean_interval(own - base, SAMPLES, seed))


def replaced(facts: Mapping[str, Any]) -> Gain | None:
    """The gain for which a run wrote the baseline in place of its distilled student; None where it did not."""
    return Gain(*facts[GAIN]) if facts.get(CHOSEN) == BASELINE else None
