"""A grid of settings as combinations of overrides, and what each of them would have to run."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import config as configuration
from engine.config import Config
from engine.config.grammar import LIMIT, values_of
from engine.errors import ConfigError
from engine.experiments.plan import JOIN, NEW, RESUME, REUSE, Step, plan
from engine.jobs.store import Store

PATH = "data.path"
SHARED = "share"  # made by an earlier combination
ACTIONS = (NEW, RESUME, JOIN, REUSE)


@dataclass(frozen=True)
class Combination:
    """One point of the grid. ``values``: the settings that differ between the points, as they were typed.

    ``note``: what a person should see of the data that a path holds.
    """

    values: Mapping[str, str]
    overrides: list[str]
    config: Config
    note: str

    @property
    def name(self) -> str:
        """``student.dropout=0.2 seed=1``."""
        return " ".join(f"{key}={value}" for key, value in self.values.items())


def combinations(overrides: Sequence[str]) -> list[Combination]:
    """Every point of the grid that ``key=a,b,c`` overrides span, each one checked; the last key moves fastest.

    ConfigError for an unknown name, a value that is not allowed, or a list without brackets, before anything runs.
    """
    known, choices = configuration.declared(), configuration.groups()
    grid: dict[str, list[str]] = {}
    for word in overrides:
        key, _, text = word.partition("=")
        if key in grid:
            raise ConfigError(f"{key} is given twice", remedy=f"Write all its values in one word: {key}=a,b,c")
        grid[key] = values_of(key, text, known.get(key), group=key in choices)
    size = math.prod(len(values) for values in grid.values())
    if size > LIMIT:
        raise ConfigError(
            f"these are {size:,} combinations, more than {LIMIT:,}",
            remedy="Leave out some values, or search instead: engine tune",
        )
    varied = [key for key, values in grid.items() if len(values) > 1]
    looked: dict[tuple[str, ...], tuple[list[str], str]] = {}  # a path is looked at once
    return [
        _combination(dict(zip(grid, point, strict=True)), varied, looked) for point in itertools.product(*grid.values())
    ]


def _combination(
    point: Mapping[str, str], varied: Sequence[str], looked: dict[tuple[str, ...], tuple[list[str], str]]
) -> Combination:
    overrides = [f"{key}={value}" for key, value in point.items()]
    note = ""
    if PATH in point:
        from engine.data.schema import infer  # here: it reads the file

        about = tuple(word for word in overrides if infer.concerns(word))
        if about not in looked:
            looked[about] = infer.completed(about)
        words, note = looked[about]
        overrides = [*(word for word in words if word not in about), *overrides]
    return Combination({key: point[key] for key in varied}, overrides, configuration.load(overrides), note)


def plans(target: str, grid: Sequence[Combination], store: Store, again: bool) -> list[list[Step]]:
    """The steps of every combination; one that an earlier combination makes already has the action ``share``."""
    made: set[str] = set()
    result = []
    for point in grid:
        steps = plan(target, point.config, store, again)
        own = [
            Step(step.stage, step.fingerprint, SHARED, step.run, "made by an earlier combination")
            if step.action in (NEW, RESUME) and step.fingerprint in made
            else step
            for step in steps
        ]
        made |= {step.fingerprint for step in own if step.action in (NEW, RESUME)}
        result.append(own)
    return result


def count(steps: Sequence[Sequence[Step]]) -> dict[str, int]:
    """How many runs are to be made, resumed, joined and reused; shared ones count once."""
    kinds = {action: {s.fingerprint for own in steps for s in own if s.action == action} for action in ACTIONS}
    return {action: len(prints) for action, prints in kinds.items()}
