"""The part of a mixture that models without training have: no product of vectors gives their scores.

Their log-probabilities, each times its weight, are added to the scores of the other models; a softmax of the sum is
that of the mean of all log-probabilities. Held-out files name them with their weights, and whoever reads the files
computes the scores from the data again.
Letters: R rows, B rows of a block, n items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.knowledge.held_out import PREFIX
from engine.stages import TITLES, TRANSITIONS, UNTRAINED
from engine.student.untrained import Ints, NextItem, RowScores, Untrained, log_probabilities, real_titles


@dataclass(frozen=True)
class UntrainedPart:
    """Models without training and their weights; there may be none."""

    models: Mapping[str, tuple[float, NextItem]]

    @classmethod
    def of(cls, weights: Mapping[str, float], sequences: Path, items: Path) -> "UntrainedPart":
        """The models without training among these names, of the data in two files."""
        chosen = {name: weight for name, weight in weights.items() if name in UNTRAINED}
        if not chosen:
            return cls({})
        known = Untrained.load(sequences, items)
        if TITLES in chosen and not known.titled:
            raise DataError(
                "no item has a title, so titles ranks nothing",
                location="knowledge.models",
                remedy=f"Name {TRANSITIONS}, or give titles (data.columns.title).",
            )
        return cls({name: (weight, known.model(name)) for name, weight in chosen.items()})

    def alone(self, rows: Rows, device: str) -> dict[str, RowScores]:
        """Log-probabilities of held-out rows [R] of each model by itself, whatever its weight."""

        def logs(scores: RowScores) -> RowScores:
            return lambda block: log_probabilities(scores(block))

        return {name: logs(model.after_rows(rows, device)) for name, (_, model) in self.models.items()}

    def weighted(self, weights: Mapping[str, float]) -> "UntrainedPart":
        """The same models with other weights, without those of weight 0."""
        kept = {name: (weights[name], model) for name, (_, model) in self.models.items() if weights[name]}
        return UntrainedPart(kept)

    def counted_on(self, sequences: Sequences, items: Path) -> "UntrainedPart":
        """The same models with the same weights, of other sequences."""
        known = Untrained(sequences, real_titles(items))
        return UntrainedPart({name: (weight, known.model(name)) for name, (weight, _) in self.models.items()})

    @property
    def stored(self) -> dict[str, Tensor]:
        """What held-out files hold of them."""
        return {f"{PREFIX}{name}": torch.tensor(weight) for name, (weight, _) in self.models.items()}

    def after_events(self, sequences: Sequences, last: Ints, device: str) -> RowScores | None:
        """Weighted log-probabilities of what follows the events ``last`` [R] of training sequences."""
        return self._sum([model.after_events(sequences, last, device) for _, model in self.models.values()])

    def after_rows(self, rows: Rows, device: str) -> RowScores | None:
        """Weighted log-probabilities of held-out rows [R]."""
        return self._sum([model.after_rows(rows, device) for _, model in self.models.values()])

    def _sum(self, scores: list[RowScores]) -> RowScores | None:
        if not scores:
            return None
        weights = [weight for weight, _ in self.models.values()]

        def score(block: slice) -> Tensor:
            parts = [weight * log_probabilities(own(block)) for weight, own in zip(weights, scores, strict=True)]
            return torch.stack(parts).sum(dim=0)

        return score


NONE = UntrainedPart({})
