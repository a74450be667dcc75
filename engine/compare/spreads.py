"""Mean and standard deviation over seeds for every setting of an experiment, without tests."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compare.figures import Figure, of_evaluations, of_trainings, of_validation
from engine.compare.groups import Group
from engine.compare.report import evaluations, spread_of
from engine.report.numbers import mean_sd
from engine.report.tables import WIDTH, align
from engine.runs.text import clean
from engine.stages import REFERENCES, VAL_NDCG
from engine.wire import Spread

SHOWN = (VAL_NDCG.name, "ndcg@10", "hr@10")
LONG = 34  # characters of a group's name in its line


@dataclass(frozen=True)
class SettingSpreads:
    """A metric of one model: its spread in every group."""

    metric: str
    model: str | None
    goal: str
    groups: list[Spread]


def spreads(groups: Sequence[Group]) -> list[SettingSpreads]:
    """Every metric of every trained model: on validation rows first, then on test rows."""
    found = evaluations(groups)
    figures: list[Figure] = [*of_validation(found), *of_evaluations(found)] if found else of_trainings(groups)
    kept = [figure for figure in figures if figure.model not in REFERENCES]
    return [SettingSpreads(f.metric, f.model, f.goal, [spread_of(values) for values in f.values]) for f in kept]


def best(line: SettingSpreads) -> int | None:
    """Index of the group whose mean is best; None where the metric has no direction."""
    known = [(spread.mean, index) for index, spread in enumerate(line.groups) if spread.mean is not None]
    if not known or line.goal not in ("max", "min"):
        return None
    return (max if line.goal == "max" else min)(known, key=lambda pair: pair[0])[1]


def text(groups: Sequence[Group], lines: Sequence[SettingSpreads]) -> str:
    """A table per model, one line per group; a star marks the group that is best on validation rows."""
    parts = []
    for model in dict.fromkeys(line.model for line in lines):
        own = [line for line in lines if line.model == model and line.metric in SHOWN]
        own = own or [line for line in lines if line.model == model][:2]
        chooser = next((line for line in own if line.metric.startswith("val_")), None)
        chosen = best(chooser) if chooser else None
        cells = [
            [
                ("* " if index == chosen else "  ") + _short(group.name),
                str(own[0].groups[index].n),
                *(mean_sd(line.groups[index].mean, line.groups[index].sd) for line in own),
            ]
            for index, group in enumerate(groups)
        ]
        parts.append("\n".join(align([model or "training", "n", *(line.metric for line in own)], cells)))
        if chosen is not None:
            parts[-1] += "\n* best on validation rows; ± standard deviation over seeds"
    return "\n\n".join(parts)


def _short(name: str) -> str:
    """A long name without its start: groups differ at the end of their names."""
    name = clean(name, WIDTH * 4)
    return name if len(name) <= LONG else "…" + name[-LONG + 1 :]
