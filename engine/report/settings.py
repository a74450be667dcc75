"""A run's configuration as dotted names and values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.runs.schema import CONFIG
from engine.runs.text import clean

SEED = "seed"
ASIDE = ("launcher.", "trainer.", "search.")  # where a run works, and how many trials chose its settings


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"student": {"hidden": 64}} -> {"student.hidden": 64}"""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of settings that are not the same everywhere, without the seed, what follows it, and ``ASIDE``."""
    seeds = [own.get(SEED) for own in settings]
    return [
        name
        for name in dict.fromkeys(name for own in settings for name in own)
        if name != SEED
        and not name.startswith(ASIDE)
        and len({repr(own.get(name)) for own in settings}) > 1
        and [own.get(name) for own in settings] != seeds
    ]


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings of the run at ``folder``, texts cleaned. UserError where its configuration cannot be read."""
    from engine.config import tree_at  # 30 ms that the cockpit's start does not need

    tree = flat(tree_at(folder / CONFIG))
    return {name: clean(value) if isinstance(value, str) else value for name, value in tree.items()}
