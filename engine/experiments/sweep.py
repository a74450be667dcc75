"""A grid of settings as combinations of words, and what each of them would have to run."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_origin

from engine import config as configuration
from engine.config import Config
from engine.config.settings.tree import Setting, settings
from engine.errors import ConfigError
from engine.experiments.plan import JOIN, NEW, RESUME, REUSE, Step, plan
from engine.jobs.store import Store

LIMIT = 1000  # combinations; more is a slip of the keyboard
SHARED = "share"  # made by a combination before this one
OPEN, CLOSE, QUOTES = "[({", "])}", "'\""


@dataclass(frozen=True)
class Combination:
    """One point of the grid. ``values`` are the words that differ between the points, as they were typed."""

    values: Mapping[str, str]
    words: list[str]
    config: Config

    @property
    def name(self) -> str:
        """``student.dropout=0.2 seed=1``."""
        return " ".join(f"{key}={value}" for key, value in self.values.items())


def combinations(words: Sequence[str]) -> list[Combination]:
    """Every point of the grid that ``key=a,b,c`` words span, each one checked; the last key moves fastest.

    ConfigError for an unknown name, a value that is not allowed, or a list without brackets, before anything runs.
    """
    known = {item.key: item for item in settings(Config)}
    choices = configuration.groups()
    grid: dict[str, list[str]] = {}
    for word in words:
        key, _, text = word.partition("=")
        if key in grid:
            raise ConfigError(f"{key} is given twice", remedy=f"Write all its values in one word: {key}=a,b,c")
        grid[key] = values_of(key, text, known.get(key), group=key in choices)
    size = 1
    for values in grid.values():
        size *= len(values)
    if size > LIMIT:
        raise ConfigError(
            f"these are {size:,} combinations, more than {LIMIT:,}",
            remedy="Leave out some values, or search instead: engine tune",
        )
    varied = [key for key, values in grid.items() if len(values) > 1]
    return [_combination(dict(zip(grid, point, strict=True)), varied) for point in itertools.product(*grid.values())]


def _combination(point: Mapping[str, str], varied: Sequence[str]) -> Combination:
    words = [f"{key}={value}" for key, value in point.items()]
    return Combination({key: point[key] for key in varied}, words, configuration.load(words))


def values_of(key: str, text: str, item: Setting | None, group: bool) -> list[str]:
    """Values of a word ``key=text``: parted by commas outside of brackets and quotes; ``1..5`` counts whole numbers.

    A free text is parted only in parentheses: its commas are its own.
    """
    kind = item.kind if item else str
    if not group and kind is str and not (item and item.meta.get("choices")):
        if not (text.startswith("(") and text.endswith(")")):
            return [text]
        text = text[1:-1]
    parts = [part.strip() for part in _parted(text)]
    if get_origin(kind) is list and len(parts) > 1 and not all(part.startswith("[") for part in parts):
        raise ConfigError(
            f"'{text}' may be one list or {len(parts)} values",
            location=key,
            remedy=f"Write {key}=[{text}] for one list, or {key}=[..],[..] for one list per combination.",
        )
    found = [value for part in parts for value in (_counted(part) if kind is int else [part])]
    if len(set(found)) < len(found):
        raise ConfigError(f"'{text}' has a value twice", location=key, remedy="Every combination is run once.")
    return found


def _parted(text: str) -> Iterator[str]:
    depth, start, quote = 0, 0, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        elif letter in OPEN:
            depth += 1
        elif letter in CLOSE:
            depth -= 1
        elif letter == "," and depth <= 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _counted(text: str) -> list[str]:
    first, dots, last = text.partition("..")
    if not (dots and first.isdigit() and last.isdigit() and 0 <= int(last) - int(first) < LIMIT):
        return [text]
    return [str(value) for value in range(int(first), int(last) + 1)]


def plans(target: str, grid: Sequence[Combination], store: Store, again: bool) -> list[list[Step]]:
    """The steps of every combination; one that an earlier combination makes already has the action ``share``."""
    made: set[str] = set()
    result = []
    for point in grid:
        steps = plan(target, point.config, store, again)
        told = [
            Step(step.stage, step.fingerprint, SHARED, step.run, "made by a combination before this one")
            if step.action in (NEW, RESUME) and step.fingerprint in made
            else step
            for step in steps
        ]
        made |= {step.fingerprint for step in told if step.action in (NEW, RESUME)}
        result.append(told)
    return result


def count(steps: Sequence[Sequence[Step]]) -> dict[str, int]:
    """How many runs are to be made, gone on with, joined and reused; shared ones count once."""
    kinds = {action: {s.fingerprint for own in steps for s in own if s.action == action} for action in ACTIONS}
    return {action: len(prints) for action, prints in kinds.items()}


ACTIONS = (NEW, RESUME, JOIN, REUSE)
