"""Saved experiments: overrides under a name, chosen like those of ``conf/experiment/``.

``<XDG config>/recdistill/experiments/<name>.txt`` holds one ``key=value`` a line, on top of the experiment or data set
that it names; ``#`` begins a comment. They are checked like typed overrides.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.config.controls import listed, written
from engine.errors import ConfigError
from engine.runs.files import refused

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
SUFFIX = ".txt"


def folder() -> Path:
    """The folder of saved experiments: among the user's settings, shared by all checkouts and folders of runs."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "recdistill" / "experiments"


def names() -> list[str]:
    """Every saved experiment."""
    return sorted(file.stem for file in folder().glob(f"*{SUFFIX}") if NAME.fullmatch(file.stem))


def read(name: str) -> list[str]:
    """The overrides of a saved experiment."""
    path = folder() / (name + SUFFIX)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the saved experiment cannot be read ({error})", location=str(path), remedy="Mend or remove the file."
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def save(name: str, overrides: Sequence[str], taken: Sequence[str]) -> Path:
    """Save overrides under a name that is not one of ``taken``; replaces an earlier one."""
    if not NAME.fullmatch(name) or name in taken:
        cause = f"'{name}' is the name of a built-in experiment" if name in taken else f"'{name}' is not a name"
        raise ConfigError(
            cause, location="--save", remedy="Small letters, digits, dots and dashes: --save wide-student."
        )
    broken = next((one for one in overrides if "\n" in one or "\r" in one), None)
    if broken is not None:
        raise ConfigError(f"{broken!r} holds a line break, which a saved experiment cannot", location="--save")
    path = folder() / (name + SUFFIX)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = f"# Chosen with: experiment={name}\n" + "".join(f"{one}\n" for one in overrides)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):  # it is not there, or its folder is none
            scratch.unlink()
        raise refused(error, path, "choose another name") from error
    return path


def expanded(overrides: Sequence[str], built_in: Sequence[str]) -> list[str]:
    """The overrides with a saved experiment replaced by its own, which come first, so that typed ones win."""
    own = [one for one in overrides if one.startswith("experiment=")]
    chosen, *controls = listed(own[-1].partition("=")[2]) if own else [""]
    if not chosen or chosen in built_in or chosen not in names():
        return list(overrides)
    saved = read(chosen)
    if controls:  # they follow the experiment that the saved one is about
        bases = [name for one in saved if one.startswith("experiment=") for name in listed(one.partition("=")[2])]
        saved = [
            *(one for one in saved if not one.startswith("experiment=")),
            f"experiment={written([*bases, *controls])}",
        ]
    return [*saved, *(one for one in overrides if one not in own)]
