"""The form of a new run: target stage, presets, settings with their limits, changes, sweeps, and the command they make.

The values, types and limits are those that ``engine config --json`` told; nothing about settings is known here.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from engine.stages import STAGES

GRID_LIMIT = 512  # runs that one sweep may expand to
NULLABLE = re.compile(r"None|null|optional|\?", re.IGNORECASE)


@dataclass(frozen=True)
class FormField:
    """One line of the form. ``value`` is what a run would have without any change here."""

    key: str
    value: Any
    type: str
    help: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    group: bool = False  # a choice of files, as student=sasrec

    @property
    def limits(self) -> str:
        """What may stand here, in words."""
        if self.choices:
            return " | ".join(self.choices)
        signs = (("≥", self.low), (">", self.above), ("≤", self.high), ("<", self.below))
        limits = " ".join(f"{sign} {limit:.10g}" for sign, limit in signs if limit is not None)
        return f"{self.type} {limits}".strip() + (f" {self.unit}" if self.unit else "")


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

    def load(self, told: dict[str, Any]) -> None:
        """Take what ``engine config --json`` told."""
        found: dict[str, FormField] = {}
        for name, group in (told.get("groups") or {}).items():
            if isinstance(group, dict) and name != "experiment" and group.get("choices"):
                choices = tuple(str(choice) for choice in group.get("choices") or ())
                found[name] = FormField(
                    name, group.get("choice"), "choice", f"file of {name}", choices=choices, group=True
                )
        for item in told.get("settings") or ():
            if isinstance(item, dict) and "key" in item:
                setting = _setting(item)
                found[setting.key] = setting
        self.settings = found
        self.presets = [str(name) for name in told.get("experiments") or ()]
        self.saved = [str(name) for name in told.get("saved") or ()]

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
        """The values of a field: more than one in a sweep."""
        return split(self.text(key), self.settings[key].type if key in self.settings else "")

    def fault(self, key: str) -> str:
        """What is wrong with a field, with the likely remedy; empty when nothing is."""
        setting = self.settings.get(key)
        if setting is None:
            near = get_close_matches(key, self.settings, 1)
            return "unknown setting" + (f": did you mean {near[0]}?" if near else "")
        if key not in self.changes:
            return ""
        return next((fault for value in self.values(key) if (fault := check(setting, value))), "")

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
        product = 1
        for values in self.sweeps.values():
            product *= len(values)
        return product

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
        if not self.sweeps or self.count > GRID_LIMIT:
            return self.arguments(next(self.grid(), {}) if self.count <= GRID_LIMIT else {})
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
        return section not in STAGES or section in stages_for(self.target)


def stages_for(target: str) -> list[str]:
    """The target and every stage that it may need, makers first."""
    wanted = {target}
    for name in reversed(STAGES):
        if name in wanted:
            wanted |= set(STAGES[name].inputs)
    return [name for name in STAGES if name in wanted]


def split(text: str, kind: str) -> list[str]:
    """Values of a field: separated by commas outside of brackets and quotes; ``1..5`` counts whole numbers.

    A text setting is never split unless it is written in parentheses: its commas are its own.
    """
    text = text.strip()
    if kind == "str":
        if not (text.startswith("(") and text.endswith(")")):
            return [text]
        text = text[1:-1]
    parts: list[str] = []
    depth, start, quote = 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth <= 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    counted = [_counted(part.strip()) for part in parts]
    return [value for values in counted for value in values]


def _counted(text: str) -> list[str]:
    first, dots, last = text.partition("..")
    if dots and _is_whole(first) and _is_whole(last) and 0 <= int(last) - int(first) < GRID_LIMIT:
        return [str(value) for value in range(int(first), int(last) + 1)]
    return [text]


def _is_whole(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,9}", text))


def check(setting: FormField, text: str) -> str:
    """What is wrong with one value of a setting; empty when nothing is. ``engine`` checks again, and knows more."""
    if not text and setting.type != "str":
        return "needs a value"
    if setting.choices and text not in setting.choices:
        if text == "null" and NULLABLE.search(setting.type):
            return ""
        near = get_close_matches(text, setting.choices, 1)
        return f"must be one of {', '.join(setting.choices)}" + (f" - did you mean {near[0]}?" if near else "")
    if text == "null":
        return "" if NULLABLE.search(setting.type) else f"must be {setting.limits}"
    if "list" in setting.type:
        inside = text.removeprefix("[").removesuffix("]")
        faults = (_number_fault(setting, part.strip()) for part in inside.split(",") if part.strip())
        return next((fault for fault in faults if fault), "") if "str" not in setting.type else ""
    if "bool" in setting.type:
        return "" if text.lower() in ("true", "false") else "must be true or false"
    if "str" in setting.type:
        return ""
    return _number_fault(setting, text)


def _number_fault(setting: FormField, text: str) -> str:
    if "int" not in setting.type and "float" not in setting.type:
        return ""
    try:
        value = float(text)
    except ValueError:
        return f"must be {setting.limits}, not {text!r}"
    if not math.isfinite(value):
        return f"must be {setting.limits}, not {text}"
    if "int" in setting.type and "float" not in setting.type and value != int(value):
        return f"must be a whole number, not {text}"
    broken = (
        (setting.low is not None and value < setting.low)
        or (setting.high is not None and value > setting.high)
        or (setting.above is not None and value <= setting.above)
        or (setting.below is not None and value >= setting.below)
    )
    return f"must be {setting.limits}" if broken else ""


def _setting(item: dict[str, Any]) -> FormField:
    def limit(name: str) -> float | None:
        value = item.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    return FormField(
        str(item["key"]),
        item.get("value"),
        str(item.get("type", "")),
        str(item.get("help") or ""),
        limit("low"),
        limit("high"),
        limit("above"),
        limit("below"),
        tuple(str(choice) for choice in item.get("choices") or ()),
        str(item.get("unit") or ""),
    )


def changes_from(settings: dict[str, FormField], config: dict[str, Any]) -> dict[str, str]:
    """The changes that turn the form's values into those of a run's configuration."""
    return {
        key: shown(value)
        for key, value in config.items()
        if key in settings and shown(value) != shown(settings[key].value) and not settings[key].group
    }


def ordered(keys: Iterable[str]) -> list[str]:
    """Stages in table order."""
    wanted = set(keys)
    return [name for name in STAGES if name in wanted]
