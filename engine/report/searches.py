"""How many trials chose the settings of the models of a table, in a sentence: a fair comparison has searched alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.stages import BASELINE, DISTILLED, TEACHER

COUNTS = {BASELINE: "search.student", TEACHER: "search.teacher", DISTILLED: "search.distill"}  # model -> setting
COLUMN = "trials"  # of a table of results: those of the row's model


def trials(settings: Mapping[str, Any], models: Sequence[str]) -> dict[str, int | None]:
    """Model -> trials that chose its settings, of those of ``models`` that have settings; None: not recorded."""
    return {model: settings.get(key) for model, key in COUNTS.items() if model in models}


def sentence(trials: Mapping[str, int | None]) -> str:
    """``settings chosen on validation rows: student 20 trials; not searched: teacher``; "" without a trained model."""
    found = [f"{model} {count:,} {'trial' if count == 1 else 'trials'}" for model, count in trials.items() if count]
    parts = [f"settings chosen on validation rows: {', '.join(found)}"] if found else []
    for words, value in (("not searched", 0), ("search not recorded", None)):
        models = [model for model, count in trials.items() if count == value]
        parts += [f"{words}: {', '.join(models)}"] if models else []
    before, after = trials.get(BASELINE), trials.get(DISTILLED)
    if before is not None and after is not None and before != after:
        parts.append(f"unequal, which favours {BASELINE if before > after else DISTILLED}")
    return "; ".join(parts)
