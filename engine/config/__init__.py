"""From YAML and a command line to plain dataclasses, every name and limit checked. The only file that knows Hydra."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.config import presets
from engine.config.settings import setting
from engine.config.settings.backbone import BackboneSettings
from engine.config.settings.data import DataSettings
from engine.config.settings.distill import DistillSettings
from engine.config.settings.evaluate import EvaluateSettings
from engine.config.settings.health import HealthSettings
from engine.config.settings.knowledge import KnowledgeSettings
from engine.config.settings.launcher import LauncherSettings
from engine.config.settings.student import StudentSettings
from engine.config.settings.teacher import TeacherSettings
from engine.config.settings.trainer import TrainerSettings
from engine.config.settings.tree import parse, settings, tree_of, unknown
from engine.errors import ConfigError


@dataclass
class Config:
    """One section per group of ``conf/``; a stage's fingerprint is made of its own section alone."""

    seed: int = setting("seed of everything random, unless a section sets its own", low=0, high=2**31 - 1)
    data: DataSettings = setting("what is learned from")
    student: StudentSettings = setting("the small sequential recommender")
    backbone: BackboneSettings = setting("the frozen language model")
    teacher: TeacherSettings = setting("the teacher: prompts, experts, gate, objective")
    knowledge: KnowledgeSettings = setting("which rows the teacher is asked about, and what is written down")
    distill: DistillSettings = setting("the student that is trained again, and what it takes from the teacher")
    evaluate: EvaluateSettings = setting("which models are ranked, and how")
    trainer: TrainerSettings = setting("where and how fast training runs")
    launcher: LauncherSettings = setting("who starts the processes")
    health: HealthSettings = setting("what is called a fault while a run is at work")


def folder() -> Path:
    """Where the YAML files are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def groups() -> dict[str, list[str]]:
    """Group -> its choices, the file names below ``conf/<group>/``."""
    return {
        entry.name: sorted(file.stem for file in entry.glob("*.yaml"))
        for entry in sorted(folder().iterdir())
        if entry.is_dir()
    }


def experiments() -> list[str]:
    """Every named experiment: those of ``conf/`` and those that a person saved."""
    return sorted({*groups()["experiment"], *presets.names()})


def save(name: str, words: Sequence[str]) -> Path:
    """Keep what the words say as an experiment of one's own; ConfigError when they are not sound."""
    built_in = groups()["experiment"]
    words = presets.expanded(words, built_in)
    load(words)
    return presets.save(name, words, built_in)


def load(words: Sequence[str] = ()) -> Config:
    """The configuration that ``group=choice`` and ``key=value`` words describe.

    Raises ConfigError for an unknown name (with the likely one), a wrong type or a value outside its limits.
    """
    composed, _ = _compose(words)
    return build(composed)


def choices(words: Sequence[str] = ()) -> dict[str, str]:
    """Group -> the choice in force."""
    return _compose(words)[1]


def read(path: Path) -> Config:
    """The configuration a run was started with. Raises ConfigError where this version needs other settings."""
    return build(tree_at(path), location=str(path))


def tree_at(path: Path) -> Any:
    """The plain values of a run's configuration, which another version of the program may have written."""
    import yaml  # here and below: the cockpit reads the declarations without it

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"the configuration cannot be read ({error})", location=str(path)) from error


def dump(config: Config) -> str:
    """The whole resolved configuration as YAML: ``read`` gives the same configuration again."""
    import yaml

    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def build(tree: Any, location: str = "") -> Config:
    """A checked Config of a tree of plain values."""
    config: Config = tree_of(Config, tree, "", location)
    return config


def _compose(words: Sequence[str]) -> tuple[Any, dict[str, str]]:
    """The composed tree, interpolations resolved, and the choices of groups.

    Hydra sees only names of files. Values are put in by us: its grammar would change ``1e3``, ``a,b`` or ``#``.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf, open_dict

    selected, values = _split(words)
    files = [f"{group}={choice}" for group, choice in selected.items()]
    if "data" in selected and "experiment" not in selected:
        files.append("~experiment")  # the default experiment is about its own data
    with initialize_config_dir(str(folder().resolve()), version_base=None):
        tree = compose(
            "config",
            overrides=files,
            return_hydra_config=True,
        )
    chosen = {group: str(choice) for group, choice in tree.hydra.runtime.choices.items() if choice and "/" not in group}
    with open_dict(tree):
        del tree["hydra"]
    for key, value in values.items():
        OmegaConf.update(tree, key, value, force_add=True)
    return OmegaConf.to_container(tree, resolve=True), chosen


def _split(words: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Chosen files and typed values of the words a person typed."""
    known_groups = groups()
    known = {item.key: item for item in settings(Config)}
    selected: dict[str, str] = {}
    values: dict[str, Any] = {}
    for word in presets.expanded(words, known_groups["experiment"]):
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"'{word}' is not of the form key=value", remedy="Write for example student.dropout=0.3.")
        if key.startswith(("+", "~")):
            raise ConfigError(f"'{word}' would add or remove a setting", remedy=f"Write {key.lstrip('+~')}=VALUE.")
        if key in known_groups:
            if text not in known_groups[key]:
                there = experiments() if key == "experiment" else known_groups[key]
                raise unknown(f"{key} has no choice '{text}'", text, there, there)
            selected[key] = text
        elif key in known:
            values[key] = _escape(parse(known[key], text))
        else:
            sections = [name for name in known if name.startswith(key + ".")]
            if sections:
                raise ConfigError(
                    f"'{key}' is a section, not a setting", remedy=f"Its settings: {', '.join(sections[:12])}."
                )
            raise unknown(f"there is no setting '{key}'", key, [*known, *known_groups])
    return selected, values


def _escape(value: Any) -> Any:
    """A person's text is text: nothing in it is looked up."""
    return value.replace("${", "\\${") if isinstance(value, str) else value
