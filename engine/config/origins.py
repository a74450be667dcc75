"""Which file of ``conf/``, saved experiment or override gives each setting its value."""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.config import label_of, split
from engine.config.compose import REFERENCE, SAME, compose, folder, unrecorded
from engine.config.controls import listed
from engine.config.settings.teacher import OBJECTIVES

TYPED = "command line"
OTHERS = "other settings of its model are given"  # origin of a count of trials that no longer holds


def origins(overrides: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Dotted name -> where its value comes from: a file, with the setting it refers to; the last one to state it."""
    selected, values = split(overrides)
    composed = compose(selected, values)
    choices = composed.choices
    files = [(group, choice) for group, choice in choices.items() if group != "experiment"]
    files += [("", "config"), *(("experiment", name) for name in listed(choices.get("experiment", "")) if name)]
    found: dict[str, str] = {}
    for group, name in files:
        for key, origin in _stated(group, name):
            for inside in [other for other in found if other.startswith(key + ".")]:  # the section is made null
                del found[inside]
            found[key] = origin
    for section in (f"teacher.{name}." for name in OBJECTIVES if composed.tree["teacher"][name] is None):
        found = {key: origin for key, origin in found.items() if not key.startswith(section)}
    typed = {word.partition("=")[0] for word in overrides}
    saved = f"experiment={label_of(overrides)} (saved)"
    found |= {key: TYPED if key in typed else saved for key in values}
    found |= dict.fromkeys(unrecorded(selected, values), OTHERS)
    for section, source in SAME.items():
        inherited = {key: origin for key, origin in found.items() if key.startswith(source + ".")}
        found = {section + key.removeprefix(source): origin for key, origin in inherited.items()} | found
    return {key: _nearest(key, found) for key in keys}


def _nearest(key: str, found: dict[str, str]) -> str:
    """The origin of a setting, or of the section around it that is null."""
    while key and key not in found:
        key = key.rpartition(".")[0]
    return found.get(key, "")


def _stated(group: str, name: str) -> Iterator[tuple[str, str]]:
    """What a file states and, before that, the files it is a difference over: dotted name, origin."""
    import yaml

    path = folder() / group / f"{name}.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in tree.pop("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            yield from _stated(group, entry)
    prefix = f"{group}." if group and group != "experiment" else ""
    yield from _leaves(tree, prefix, f"conf/{path.relative_to(folder())}")


def _leaves(tree: dict[str, Any], prefix: str, file: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.", file)
        else:
            refers = isinstance(value, str) and REFERENCE.fullmatch(value)
            yield prefix + name, f"{file}: {value}" if refers else file
