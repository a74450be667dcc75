"""Settings of the ``evaluate`` stage: which models are ranked, and how their figures are cut and compared."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting
from engine.stages import MODELS

SEEN = AUTO, HIDE, SHOW = "auto", "true", "false"  # whether the items of a history are left out of a ranking


@dataclass
class EvaluateSettings:
    """One evaluation of several models on the same rows."""

    models: list[str] = setting(
        "what is ranked; popularity is the floor, oracle the ceiling where the data has one; transitions, titles and "
        "transitions+titles need no training either",
        choices=tuple(MODELS),
    )
    hide_seen: str = setting(
        "whether the main figures leave out items of the row's own history; both are always computed; auto: unless "
        "more than 1 % of the validation targets repeat an item of their history",
        choices=SEEN,
    )
    candidates: int = setting("items of a candidate ranking: the target and drawn negatives; 0: none", low=0)
    candidate_history: int = setting("latest items of the history that are drawn as no negative", low=0)
    candidate_seed: int = setting("seed of the negatives; not the run's, so that runs share them", low=0)
    head: float = setting("share of the training events that the most popular items (head) make up", low=0, high=1)
    tail: float = setting("share of the training events that the least popular items (tail) make up", low=0, high=1)
    lengths: list[int] = setting("history lengths at which a new slice of rows begins", low=1)
    samples: int = setting("resamples of the rows behind an interval or p-value", low=100)
    timed_requests: int = setting(
        "rows that are ranked one by one to measure the time of a request; 0: not measured", low=0
    )

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if not self.models:
            yield "models", "must name at least one model"
        if len(set(self.models)) < len(self.models):
            yield "models", "must name every model once"
        if self.candidates == 1:
            yield "candidates", "must be 0 or at least 2, because a single candidate is always first"
        if self.head + self.tail > 1:
            yield "head", "and evaluate.tail must not add up to more than 1, because what is between them is the middle"
        if self.lengths != sorted(set(self.lengths)):
            yield "lengths", "must rise"
