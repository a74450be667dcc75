"""Experiments by name, alone or as a list: a base, which chooses its data, and controls, which change a part of it.

``experiment=[amazon-toys,no-gate]`` is the base with one part taken away. A control is a file of ``conf/experiment/``
that chooses no data. Alone it changes the default experiment; where ``data=`` is chosen, the plain settings of that,
whose teacher is a language model.
"""

import functools
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from engine.config.compose import folder, groups
from engine.config.settings.tree import unknown
from engine.errors import ConfigError

DEFAULT = "demo"  # conf/config.yaml


def listed(text: str) -> list[str]:
    """The names of ``a`` or ``[a,b]``."""
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    return [name.strip() for name in text[1:-1].split(",")]


def written(names: Sequence[str]) -> str:
    """How the names are typed."""
    return names[0] if len(names) == 1 else f"[{','.join(names)}]"


def label(text: str) -> str:
    """The label of runs of a typed experiment: ``amazon-toys+no-gate``."""
    return "+".join(listed(text))


def chosen(text: str, data: bool, available: Sequence[str]) -> str:
    """The experiments that a typed text stands for, a base first; ``data``: whether data are chosen besides.

    ConfigError for a name that is unknown or given twice, for two bases, and for controls that contradict each other.
    """
    names = listed(text)
    for name in names:
        if name not in groups()["experiment"] and "," in name:
            raise ConfigError(f"'{name}' is no experiment", remedy=f"Write several in brackets: experiment=[{name}].")
        if name not in groups()["experiment"]:
            raise unknown(f"experiment has no choice '{name}'", name, available, available)
    if len(set(names)) < len(names):
        raise ConfigError(f"'{text}' names an experiment twice", location="experiment")
    bases = [name for name in names if not is_control(name)]
    if len(bases) > 1:
        raise ConfigError(
            f"{' and '.join(bases)} each choose their own data",
            location=f"experiment={text}",
            remedy=f"Choose one of them, and controls besides: {', '.join(controls())}.",
        )
    within = {name: set(_chain(name)[:-1]) for name in names}
    kept = [name for name in names if name not in bases and not any(name in within[other] for other in names)]
    for one, other in combinations(kept, 2):
        _check_agree(one, other, text)
    return written([*(bases or ([] if data else [DEFAULT])), *kept])


def is_control(name: str) -> bool:
    """Whether an experiment of ``conf/`` chooses no data."""
    return not any(isinstance(entry, dict) and "override /data" in entry for entry in _defaults(name))


def controls() -> list[str]:
    """The names of all controls."""
    return [name for name in groups()["experiment"] if is_control(name)]


def _check_agree(one: str, other: str, text: str) -> None:
    first, second = _stated(one), _stated(other)
    for key in first.keys() & second.keys():
        if first[key] != second[key]:
            raise ConfigError(
                f"{one} and {other} contradict each other: {key} is {first[key]} in one, {second[key]} in the other",
                location=f"experiment={text}",
                remedy="Choose one of them.",
            )


def _stated(name: str) -> dict[str, Any]:
    """Settings that an experiment and those that it continues state, without what is ranked in the end."""
    found: dict[str, Any] = {}
    for own in _chain(name):
        found |= dict(_leaves({key: part for key, part in _read(own).items() if key != "defaults"}, ""))
    return {key: value for key, value in found.items() if key != "evaluate.models"}


def _leaves(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _chain(name: str) -> list[str]:
    """The experiments that one continues, and itself last."""
    before = [entry for entry in _read(name).get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return [*(one for entry in before for one in _chain(entry)), name]


def _defaults(name: str) -> list[Any]:
    return [entry for own in _chain(name) for entry in _read(own).get("defaults", [])]


@functools.cache
def _read(name: str) -> dict[str, Any]:
    import yaml  # here: the cockpit reads the declarations without it

    found: dict[str, Any] = yaml.safe_load((folder() / "experiment" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found
