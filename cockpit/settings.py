"""The settings file: TOML whose names and values are checked, with suggestions for misspelt ones."""

import json
import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.errors import ConfigError

CHOICES: dict[str, tuple[Any, ...]] = {
    "symbols": ("braille", "block", "ascii"),
    "axis": ("step", "epoch", "time"),
    "colours": ("auto", "256", "16", "none"),
    "smoothing": (0.0, 0.6, 0.9, 0.98),
    "notify": ("none", "bell", "osc9", "osc777"),
    "notify_of": ("runs", "failures", "experiments"),
}


@dataclass
class Settings:
    """Names and defaults."""

    symbols: str = "braille"  # of curves: braille, block; ascii: of everything
    smoothing: float = 0.0  # weight of the previous average: 0, 0.6, 0.9, 0.98
    log_y: bool = False
    axis: str = "step"  # step, epoch, time
    colours: str = "auto"  # auto, 256, 16, none
    mouse: bool = True
    low_bandwidth: bool = False
    cell_diff: bool = True  # send only the cells that changed
    group: str = ""  # of the run list: experiment, stage
    filter: str = ""  # of the run list at start
    notify: str = "bell"  # of the terminal, when a run or an experiment ends: none, bell, osc9, osc777
    notify_of: str = "runs"  # which ends: of runs and experiments, failures alone, experiments alone
    notify_command: list[str] = field(default_factory=list)  # run at these ends, with the facts in its environment
    charts: list[str] = field(default_factory=list)  # the chosen metrics of the Live screen's grid
    keys: dict[str, list[str]] = field(default_factory=dict)  # action -> keys


def path() -> Path:
    """COCKPIT_SETTINGS, or else cockpit/settings.toml in the XDG configuration folder."""
    given = os.environ.get("COCKPIT_SETTINGS")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "cockpit" / "settings.toml"


def load(file: Path) -> Settings:
    """The settings of a file; the defaults when it does not exist."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the settings cannot be read ({error})", location=str(file), remedy="Repair or remove it."
        ) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", location=str(file), remedy="Correct that line.") from None
    return _checked(values, str(file))


def save(file: Path, name: str, value: list[str]) -> None:
    """Write one setting into the file and keep the rest of it, comments included."""
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        written = re.sub(rf"(?m)^{name}\s*=\s*\[[^\]]*\]", lambda found: line, text, count=1)
        if not re.search(rf"(?m)^{name}\s*=", text):  # above the first table, as TOML requires
            table = re.search(r"(?m)^\[", text)
            cut = table.start() if table else len(text)
            gap = "\n" if cut and text[cut - 1] != "\n" else ""
            written = f"{text[:cut]}{gap}{line}\n{text[cut:]}"
        if tomllib.loads(written) != tomllib.loads(text) | {name: value}:
            raise ValueError(f"{name} is written in a form that is not understood")
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_name(f".{file.name}.tmp")
        scratch.write_text(written, encoding="utf-8")
        scratch.replace(file)
    except (OSError, ValueError) as error:
        cause, remedy = f"{name} cannot be saved ({error})", f"Write by hand: {line}"
        raise ConfigError(cause, location=str(file), remedy=remedy) from None


def _checked(values: dict[str, Any], file: str) -> Settings:
    settings = Settings()
    known = {item.name: item for item in fields(Settings)}
    for name, value in values.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise ConfigError(f"there is no setting {name!r}", location=file, remedy=meant)
        if name == "keys":
            settings.keys = _keys(value, file)
            continue
        wanted = type(getattr(settings, name))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise ConfigError(f"{name} must be of type {wanted.__name__}, not {value!r}", location=file)
        if wanted is list and not all(isinstance(part, str) and part for part in value):
            raise ConfigError(
                f"{name} must be a list of texts, not {value!r}",
                location=file,
                remedy='Write for example: ["notify-send", "cockpit"]',
            )
        if name in CHOICES and value not in CHOICES[name]:
            near = get_close_matches(str(value), [str(choice) for choice in CHOICES[name]], 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            allowed = ", ".join(str(choice) for choice in CHOICES[name])
            raise ConfigError(f"{name} cannot be {value!r}", location=file, remedy=f"{meant}Allowed: {allowed}.")
        setattr(settings, name, value)
    return settings


def _keys(value: Any, file: str) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for action, names in value.items() if isinstance(value, dict) else [("keys", value)]:
        listed = [names] if isinstance(names, str) else names
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise ConfigError(
                f"keys.{action} must be a key or a list of keys",
                location=file,
                remedy='Write for example: mark = ["space"]',
            )
        keys[str(action)] = listed
    return keys
