"""From the files of ``conf/`` and typed overrides to one tree of plain values. The only module that knows Hydra.

Hydra sees names of files alone. Typed values are put in here: its grammar would change ``1e3``, ``a,b`` or ``#``.
"""

import copy
import functools
import operator
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config.settings.search import epochs_of
from engine.config.settings.teacher import OBJECTIVES

WITHOUT_TEACHER = "transitions-titles"  # the experiment of chosen data, where nothing that teaches is chosen too
TEACHING = {"backbone", "teacher", "knowledge", "distill", "evaluate"}  # groups whose choice says what teaches
MODELS = ("knowledge.models", "evaluate.models")  # settings that may name the teacher
SAME = {"distill.student": "student"}  # a section -> the section whose values it has where it states no other
SEARCHED = {  # setting that counts the trials of a search -> the sections whose settings it is about
    "search.student": ("student",),
    "search.teacher": ("teacher",),
    "search.distill": ("student", "distill"),
}
REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # a value in conf/ that is another setting's, or choices.<group>


@dataclass(frozen=True)
class Composed:
    """A tree of values, and the files in force: group -> choice."""

    tree: dict[str, Any]
    choices: dict[str, str]


def folder() -> Path:
    """Where the YAML files are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


@functools.cache
def groups() -> dict[str, list[str]]:
    """Group -> its choices: the files below ``conf/<group>/`` but for ``_base.yaml``, which the others share."""
    return {
        entry.name: sorted(file.stem for file in entry.glob("*.yaml") if not file.stem.startswith("_"))
        for entry in sorted(folder().iterdir())
        if entry.is_dir()
    }


def compose(selected: Mapping[str, str], values: Mapping[str, Any]) -> Composed:
    """The tree of the selected files (group -> choice) with ``values`` (dotted name -> value) on top."""
    files = [f"{group}={choice}" for group, choice in selected.items()]
    if "data" in selected and "experiment" not in selected:  # the default experiment is about its own data
        files.append("~experiment" if _teacher_is_chosen(selected, values) else f"experiment={WITHOUT_TEACHER}")
    found = _files(tuple(files))
    tree = copy.deepcopy(found.tree)
    # What a control says of an objective does not concern a teacher that has another one.
    tree["teacher"] |= dict.fromkeys([name for name in OBJECTIVES if name != tree["teacher"]["objective"]])
    for key, value in {**dict.fromkeys(unrecorded(selected, values)), **values}.items():
        *sections, name = key.split(".")
        section = functools.reduce(_section, sections, tree)
        section[name] = value
    _resolve(tree, tree | {"choices": found.choices}, "", values)
    for same, source in SAME.items():
        *parents, name = same.split(".")
        own = functools.reduce(_section, parents, tree)
        own[name] = tree[source] | own.get(name, {})
    return Composed(tree, found.choices)


def having(section: str) -> list[str]:
    """The choices of a section's group that state values of it."""
    import yaml  # here: the cockpit reads the declarations without it

    group, *inside = section.split(".")
    found = []
    for choice in groups().get(group, []):
        node = yaml.safe_load((folder() / group / f"{choice}.yaml").read_text(encoding="utf-8"))
        for name in inside:
            node = node.get(name) if isinstance(node, dict) else None
        found += [choice] if isinstance(node, dict) else []
    return found


def _teacher_is_chosen(selected: Collection[str], values: Mapping[str, Any]) -> bool:
    """Whether a person says what teaches: values of an experiment would win over those of the files chosen for it."""
    return not TEACHING.isdisjoint(selected) or any("teacher" in (values.get(key) or ()) for key in MODELS)


def unrecorded(selected: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    """Sizes of searches that the files state about other settings than these: a person gave some of their own.

    Where a person gives the trials alone, the files' epochs are those of other trials.
    """
    given = {key.partition(".")[0] for key in values if not key.endswith(".seed")} | selected.keys()
    found = []
    for trials, sections in SEARCHED.items():
        others = bool(given.intersection(sections))
        found += [trials] if others and trials not in values else []
        found += [epochs_of(trials)] if (others or trials in values) and epochs_of(trials) not in values else []
    return found


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """The section of a tree; one that is null or absent becomes an empty one."""
    if not isinstance(tree.get(name), dict):
        tree[name] = {}
    found: dict[str, Any] = tree[name]
    return found


def _resolve(node: dict[str, Any], tree: dict[str, Any], prefix: str, typed: Collection[str]) -> None:
    """Replace references by the values of the settings they name; a text that was typed is never a reference."""
    for name, value in node.items():
        key = prefix + name
        if isinstance(value, dict):
            _resolve(value, tree, key + ".", typed)
        while key not in typed and isinstance(value, str) and (found := REFERENCE.fullmatch(value)):
            key = found[1]
            value = node[name] = functools.reduce(operator.getitem, key.split("."), tree)


@functools.lru_cache(maxsize=256)
def _files(overrides: tuple[str, ...]) -> Composed:
    """What Hydra composes of the files, references left as they are. Nobody may change the result."""
    import hydra
    from omegaconf import OmegaConf, open_dict

    with hydra.initialize_config_dir(str(folder().resolve()), version_base=None):
        tree = hydra.compose("config", overrides=list(overrides), return_hydra_config=True)
    choices = {
        group: str(choice) for group, choice in tree.hydra.runtime.choices.items() if choice and "/" not in group
    }
    # Hydra writes several as a list of Python.
    choices |= dict(word.split("=", 1) for word in overrides if word.startswith("experiment=["))
    with open_dict(tree):
        del tree["hydra"]
    plain: Any = OmegaConf.to_container(tree, resolve=False)
    return Composed(plain, choices)
