"""How long a search chose the settings of the models of a table, in a sentence: fair comparisons searched alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.config.settings.search import epochs_of
from engine.stages import BASELINE, DISTILLED, TEACHER

COUNTS = {BASELINE: "search.student", TEACHER: "search.teacher", DISTILLED: "search.distill"}  # model -> setting
COLUMNS = ("trials", "trial_epochs")  # of a table of results: the size of the search of the row's model


@dataclass(frozen=True)
class Size:
    """Of a search. None: not recorded."""

    trials: int | None
    epochs: int | None  # that all trials trained

    def less(self, other: "Size") -> bool:
        """Whether this search had fewer trials than the other, or shorter ones; False where that is not recorded."""
        pairs = ((self.trials, other.trials), (self.epochs, other.epochs))
        return any(own is not None and theirs is not None and own < theirs for own, theirs in pairs)

    def __str__(self) -> str:
        """``20 trials (2,400 epochs)``."""
        if self.trials is None:
            return "not recorded"
        count = f"{self.trials:,} {'trial' if self.trials == 1 else 'trials'}"
        return count if not self.epochs else f"{count} ({self.epochs:,} {'epoch' if self.epochs == 1 else 'epochs'})"


def size(settings: Mapping[str, Any], key: str) -> Size:
    """What the settings record of the search whose trials the setting ``key`` counts."""
    return Size(settings.get(key), settings.get(epochs_of(key)))


def sizes(settings: Mapping[str, Any], models: Sequence[str]) -> dict[str, Size]:
    """Model -> size of the search for its settings, of those of ``models`` that have settings."""
    return {model: size(settings, key) for model, key in COUNTS.items() if model in models}


def sentence(sizes: Mapping[str, Size]) -> str:
    """``settings chosen on validation rows: student 20 trials (2,400 epochs)``; "" without a trained model."""
    found = [f"{model} {own}" for model, own in sizes.items() if own.trials]
    parts = [f"settings chosen on validation rows: {', '.join(found)}"] if found else []
    for words, value in (("not searched", 0), ("search not recorded", None)):
        models = [model for model, own in sizes.items() if own.trials == value]
        parts += [f"{words}: {', '.join(models)}"] if models else []
    before, after = sizes.get(BASELINE), sizes.get(DISTILLED)
    if before is not None and after is not None and before.less(after):
        parts.append(f"{BASELINE} was searched less, which favours {DISTILLED}")
    return "; ".join(parts)
