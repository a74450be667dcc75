"""A run's configuration as dotted names and values."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
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


def changed(folder: Path, stage: str) -> dict[str, list[Any]] | None:
    """Settings of the run's own stage, and the seed, that differ from the defaults: {name: [value, default]}.

    None where the configuration of the run cannot be read.
    """
    try:
        own = settings_of(folder)
    except ConfigError:
        return None
    default = _defaults()
    follows = [own.get(SEED), default.get(SEED)]  # what is the seed again needs no second mention
    pairs = {name: [value, default.get(name)] for name, value in own.items() if name.startswith(f"{stage}.")}
    pairs = {SEED: follows} | {name: pair for name, pair in pairs.items() if pair != follows}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@functools.cache
def _defaults() -> dict[str, Any]:
    """The settings of a run without overrides, as they are read again from its file."""
    from engine import config

    tree = flat(asdict(config.load()))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in tree.items()}


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings of the run at ``folder``, texts cleaned. UserError where its configuration cannot be read."""
    from engine.config import tree_at  # 30 ms that the cockpit's start does not need

    tree = tree_at(folder / CONFIG)
    if not isinstance(tree, dict):
        raise ConfigError("the configuration holds no settings", location=str(folder / CONFIG))
    return {name: clean(value) if isinstance(value, str) else value for name, value in flat(tree).items()}
