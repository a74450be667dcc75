"""From YAML files and command line overrides to plain dataclasses, every name and limit checked.

An override is ``group=choice`` or ``key=value``. Beyond this package there is no Hydra.
"""

import functools
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.config import compose, controls, presets
from engine.config.compose import groups as groups
from engine.config.renamed import RENAMED, translated
from engine.config.settings import setting
from engine.config.settings.backbone import BackboneSettings
from engine.config.settings.data import DataSettings
from engine.config.settings.distill import DistillSettings
from engine.config.settings.evaluate import EvaluateSettings
from engine.config.settings.health import HealthSettings
from engine.config.settings.knowledge import KnowledgeSettings
from engine.config.settings.launcher import LauncherSettings
from engine.config.settings.search import SearchSettings
from engine.config.settings.student import StudentSettings
from engine.config.settings.teacher import TeacherSettings
from engine.config.settings.trainer import TrainerSettings
from engine.config.settings.tree import MissingSetting, Setting, parse, settings, tree_of, unknown
from engine.errors import ConfigError


@dataclass
class Config:
    """One section per group of ``conf/``; a stage's fingerprint is made of its own section alone."""

    seed: int = setting("seed of everything random, unless a section sets its own", low=0, high=2**31 - 1)
    data: DataSettings = setting("the interactions and their splits")
    student: StudentSettings = setting("the small sequential recommender")
    backbone: BackboneSettings = setting("the frozen language model")
    teacher: TeacherSettings = setting("the teacher: prompts, experts, gate, objective")
    knowledge: KnowledgeSettings = setting("which rows the teacher ranks, and what is stored")
    distill: DistillSettings = setting("the student that is trained again, and what of the teacher it is trained with")
    evaluate: EvaluateSettings = setting("which models are ranked, and how")
    trainer: TrainerSettings = setting("where and how fast training runs")
    launcher: LauncherSettings = setting("what starts the processes")
    health: HealthSettings = setting("limits of the health checks of a running stage")
    search: SearchSettings = setting("how long a search chose the settings of each model")


@functools.cache
def declared() -> dict[str, Setting]:
    """Every setting by its dotted name."""
    return {item.key: item for item in settings(Config)}


@dataclass(frozen=True)
class Resolved:
    """What overrides describe. ``choices``: group -> the file in force."""

    config: Config
    choices: dict[str, str]
    label: str  # the experiment of a run that is not given another: the chosen experiment, else the chosen data set


def experiments() -> list[str]:
    """Every named experiment: those of ``conf/`` and the saved ones."""
    return sorted({*groups()["experiment"], *presets.names()})


def save(name: str, overrides: Sequence[str]) -> Path:
    """Keep overrides as a named experiment; ConfigError when they are not sound."""
    built_in = groups()["experiment"]
    overrides = presets.expanded(overrides, built_in)
    load(overrides)
    return presets.save(name, overrides, built_in)


def load(overrides: Sequence[str] = ()) -> Config:
    """The configuration that ``group=choice`` and ``key=value`` describe.

    Raises ConfigError for an unknown name (with the likely one), a wrong type or a value outside its limits.
    """
    return resolve(overrides).config


def resolve(overrides: Sequence[str] = ()) -> Resolved:
    """The configuration with the choices that it is made of. Raises ConfigError as ``load`` does."""
    composed = compose.compose(*split(overrides))
    try:
        config = build(composed.tree)
    except MissingSetting as error:
        raise _of_another_choice(error, composed) from error
    return Resolved(config, composed.choices, label_of(overrides))


def _of_another_choice(error: MissingSetting, composed: compose.Composed) -> ConfigError:
    """What to say where a control or a person set a part of a section that the chosen file leaves null."""
    section = error.key.rpartition(".")[0]
    group = section.partition(".")[0]
    choice, having = composed.choices.get(group, ""), compose.having(section)
    if not having or choice in having:
        return error
    values = functools.reduce(operator.getitem, section.split("."), composed.tree)
    given = ", ".join(f"{section}.{name}" for name in values)
    return ConfigError(
        f"{given} cannot be set: {group}={choice} has no {section}",
        location=error.location,
        remedy=f"Choose {' or '.join(f'{group}={name}' for name in having)}, or leave out what sets it.",
    )


def label_of(overrides: Sequence[str]) -> str:
    """The experiment that runs belong to when none is named: the chosen experiment, else the data set by its name."""
    typed = dict(word.split("=", 1) for word in overrides if "=" in word)
    own = typed.get("data.name") or typed.get("data")
    if experiment := typed.get("experiment"):
        return controls.label(experiment)
    return own or compose.compose(*split(overrides)).choices["experiment"]


def read(path: Path) -> Config:
    """The configuration a run was started with. Raises ConfigError where this version needs other settings."""
    return build(tree_at(path), location=str(path))


def tree_at(path: Path) -> Any:
    """The plain values of a run's configuration under today's names, whichever version of the program wrote it."""
    import yaml  # here and below: the cockpit reads the declarations without it

    try:
        return translated(yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the configuration cannot be read ({error})",
            location=str(path),
            remedy=f"Remove the run: engine rm {path.parent.name}",
        ) from error


def dump(config: Config) -> str:
    """The whole resolved configuration as YAML: ``read`` gives the same configuration again."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(asdict(config), Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def build(tree: Any, location: str = "") -> Config:
    """A checked Config of a tree of plain values."""
    config: Config = tree_of(Config, tree, "", location)
    return config


def split(overrides: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Chosen files (group -> choice) and typed values (dotted name -> value). ConfigError for an unknown name."""
    known_groups = groups()
    known = declared()
    selected: dict[str, str] = {}
    values: dict[str, Any] = {}
    for word in presets.expanded(overrides, known_groups["experiment"]):
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"'{word}' is not of the form key=value", remedy="Write for example student.dropout=0.3.")
        if key.startswith(("+", "~")):
            raise ConfigError(f"'{word}' would add or remove a setting", remedy=f"Write {key.lstrip('+~')}=VALUE.")
        if key in known_groups:
            if key != "experiment" and text not in known_groups[key]:
                raise unknown(f"{key} has no choice '{text}'", text, known_groups[key], known_groups[key])
            selected[key] = text
        elif key in known:
            values[key] = parse(known[key], text)
        elif key in RENAMED:
            raise ConfigError(
                f"the setting '{key}' is now called {RENAMED[key]}", remedy=f"Write {RENAMED[key]}={text}."
            )
        else:
            sections = [name for name in known if name.startswith(key + ".")]
            if sections:
                raise ConfigError(
                    f"'{key}' is a section, not a setting", remedy=f"Its settings: {', '.join(sections[:12])}."
                )
            raise unknown(f"there is no setting '{key}'", key, [*known, *known_groups])
    if "experiment" in selected:
        selected["experiment"] = controls.chosen(selected["experiment"], "data" in selected, experiments())
    return selected, values
