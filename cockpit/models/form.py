"""The form of a new run: target stage, presets, settings, changes, sweeps, and the command they make.

Values come from ``engine config --json``; types, limits and the grammar of sweeps are those of ``engine.config``.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from statistics import mean
from typing import Any, get_origin

from engine.config import Config
from engine.config.grammar import LIMIT, values_of
from engine.config.settings.tree import Setting, checked, parse, settings
from engine.errors import ConfigError
from engine.stages import STAGES, pipeline


@dataclass(frozen=True)
class FormField:
    """One line of the form. ``value`` is what a run would have without any change here."""

    setting: Setting
    value: Any
    group: bool = False  # a choice of files, as student=sasrec

    @property
    def help(self) -> str:
        return str(self.setting.meta.get("help", ""))

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.setting.meta.get("choices") or ())

    @property
    def listed(self) -> bool:
        """Whether the value is a list."""
        return get_origin(self.setting.kind) is list

    def parts(self, text: str) -> list[str]:
        """The parts of a list; of several lists, those of the first."""
        try:
            value = parse(self.setting, self.values(text)[0])
        except ConfigError:
            return []
        return [str(part) for part in value or ()]

    @property
    def limits(self) -> str:
        """The type and the values that are allowed."""
        if self.choices:
            return " | ".join(self.choices)
        meta = self.setting.meta
        signs = (("≥", "low"), (">", "above"), ("≤", "high"), ("<", "below"))
        limits = " ".join(f"{sign} {meta[name]:.10g}" for sign, name in signs if meta.get(name) is not None)
        return " ".join(part for part in (self.setting.type_name, limits, meta.get("unit")) if part)

    def values(self, text: str) -> list[str]:
        """The values in a text: more than one in a sweep. Raises ConfigError."""
        return values_of(self.setting.key, text.strip(), self.setting, self.group)

    def fault(self, text: str) -> str:
        """What is wrong with a text; empty when nothing is. ``engine`` also checks settings against each other."""
        try:
            values = self.values(text)
        except ConfigError as error:
            return f"{error.cause}. {error.remedy}"
        try:
            for value in values:
                checked(self.setting, value)
        except ConfigError as error:
            near = get_close_matches(text, self.choices, 1)
            return f"{error.cause}: {self.limits}" + (f" - did you mean {near[0]}?" if near else "")
        return ""


def shown(value: Any) -> str:
    """A value as it is typed on a command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ",".join(shown(part) for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


@dataclass
class Form:
    """Settings, and the texts that a person changed. A text with commas is a sweep: one run for each value."""

    target: str = "evaluate"
    experiment: str = ""  # label of the runs
    preset: str = ""  # named experiment whose values are the starting point
    settings: dict[str, FormField] = field(default_factory=dict)
    presets: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)  # presets that are a person's own
    changes: dict[str, str] = field(default_factory=dict)
    again: bool = False
    source: str = ""  # the run whose settings these are
    _undo: list[dict[str, str]] = field(default_factory=list)

    def load(self, answer: dict[str, Any]) -> None:
        """Take the answer of ``engine config --json``."""
        self.settings = {}
        for name, group in (answer.get("groups") or {}).items():
            if isinstance(group, dict) and name != "experiment" and group.get("choices"):
                meta = {"help": f"file of {name}", "choices": tuple(map(str, group["choices"]))}
                self.settings[name] = FormField(Setting(name, str, meta), group.get("choice"), group=True)
        declared = {item.key: item for item in settings(Config)}
        for row in answer.get("settings") or ():
            if isinstance(row, dict) and row.get("key") in declared:
                self.settings[row["key"]] = FormField(declared[row["key"]], row.get("value"))
        self.presets = [str(name) for name in answer.get("experiments") or ()]
        self.saved = [str(name) for name in answer.get("saved") or ()]

    def change(self, key: str, text: str) -> None:
        """Take a value; one that equals the preset's is no change."""
        self._undo.append(dict(self.changes))
        setting = self.settings.get(key)
        if setting is not None and text == shown(setting.value):
            self.changes.pop(key, None)
        else:
            self.changes[key] = text

    def reset(self, key: str) -> bool:
        """Give a setting its value back; whether it had another."""
        if key not in self.changes:
            return False
        self._undo.append(dict(self.changes))
        del self.changes[key]
        return True

    def undo(self) -> bool:
        if not self._undo:
            return False
        self.changes = self._undo.pop()
        return True

    def text(self, key: str) -> str:
        """What stands in a field."""
        setting = self.settings.get(key)
        return self.changes.get(key, shown(setting.value) if setting else "")

    def values(self, key: str) -> list[str]:
        """The values of a field; the text itself where it is not sound."""
        text = self.text(key)
        try:
            return self.settings[key].values(text) if key in self.settings else [text]
        except ConfigError:
            return [text]

    def fault(self, key: str) -> str:
        """What is wrong with a changed field, with the likely remedy; empty when nothing is."""
        if key not in self.settings:
            near = get_close_matches(key, self.settings, 1)
            return "unknown setting" + (f": did you mean {near[0]}?" if near else "")
        return self.settings[key].fault(self.changes[key]) if key in self.changes else ""

    def epochs(self, stage: str) -> float | None:
        """Passes over the data of a training stage, on average over the runs of a sweep."""
        found = []
        for key in (key for key in self.settings if key.startswith(stage + ".") and key.endswith(".epochs")):
            try:
                found.append(mean(float(value) for value in self.values(key)))
            except ValueError:  # a text that is no number, which the form refuses elsewhere
                return None
        return found[0] if len(found) == 1 else None

    @property
    def stages(self) -> list[str]:
        """The target and every stage that it may need, makers first."""
        return [stage.name for stage in pipeline(self.target)]

    @property
    def faults(self) -> dict[str, str]:
        return {key: fault for key in self.changes if (fault := self.fault(key))}

    @property
    def sweeps(self) -> dict[str, list[str]]:
        """Changed fields with more than one value."""
        return {key: values for key in self.changes if len(values := self.values(key)) > 1}

    @property
    def count(self) -> int:
        """How many combinations the sweeps make."""
        return math.prod(len(values) for values in self.sweeps.values())

    def grid(self) -> Iterator[dict[str, str]]:
        """Every combination of the changed values, in the order in which they were typed."""
        keys = list(self.changes)
        for combination in itertools.product(*(self.values(key) for key in keys)):
            yield dict(zip(keys, combination, strict=True))

    def arguments(self, changes: dict[str, str], *, run: bool = True) -> list[str]:
        """The words after ``engine`` that start one run with these values, or ask for its settings."""
        preset = [f"experiment={self.preset}"] if self.preset else []
        options = (["--experiment", self.experiment] if self.experiment else []) + (["--again"] if self.again else [])
        settings = [
            f"{key}={value}" for key, value in sorted(changes.items(), key=lambda item: not self._is_group(item[0]))
        ]
        return [*(["run", self.target] if run else ["config"]), *preset, *settings, *(options if run else [])]

    @property
    def command(self) -> list[str]:
        """The words after ``engine`` that start everything: one run, or a sweep of all combinations."""
        if not self.sweeps or self.count > LIMIT:
            return self.arguments(next(self.grid(), {}) if self.count <= LIMIT else {})
        return ["sweep", *self.arguments(self.changes)[1:]]

    def _is_group(self, key: str) -> bool:
        return key in self.settings and self.settings[key].group

    def shown_settings(self, find: str = "", changed_only: bool = False) -> list[str]:
        """Keys in the order of the form: those of the stages that may run, unknown changes last."""
        wanted = [key for key in self.settings if self._belongs(key)]
        wanted += [key for key in self.changes if key not in self.settings]
        if changed_only:
            wanted = [key for key in wanted if key in self.changes]
        return [key for key in wanted if find.lower() in f"{key} {self._help(key)}".lower()]

    def _help(self, key: str) -> str:
        return self.settings[key].help if key in self.settings else ""

    def _belongs(self, key: str) -> bool:
        """Whether a setting is of the target, of a stage before it, or of no stage at all."""
        section = key.partition(".")[0]
        return section not in STAGES or section in self.stages


def changes_from(fields: dict[str, FormField], config: dict[str, Any]) -> dict[str, str]:
    """The changes that turn the form's values into those of a run's configuration."""
    return {
        key: shown(value)
        for key, value in config.items()
        if key in fields and shown(value) != shown(fields[key].value) and not fields[key].group
    }
