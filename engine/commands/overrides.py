"""The positional arguments of a command - a stage's name and overrides - and what is derived from them."""

import hashlib
import sys
from collections.abc import Sequence

from engine import config
from engine.config.settings.tree import unknown
from engine.errors import UserError
from engine.runs.text import clean_lines
from engine.stages import STAGES

DEFAULT_STAGE = "evaluate"


def stage_and_settings(words: Sequence[str]) -> tuple[str, list[str]]:
    """The stage (the default when none is named) and the overrides. Raises ConfigError for an unknown stage."""
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise UserError(f"one stage at a time, not {' and '.join(names)}", remedy="Settings are written key=value.")
    stage = names[0] if names else DEFAULT_STAGE
    if stage not in STAGES:
        raise unknown(f"there is no stage '{stage}'", stage, list(STAGES), list(STAGES))
    return stage, [word for word in words if "=" in word]


def with_source(overrides: Sequence[str]) -> list[str]:
    """The overrides with what a path that is given holds, which is printed. Raises DataError where it is not sure."""
    if not any(word.startswith(("data.path=", "experiment=")) for word in overrides):
        return list(overrides)
    from engine.data.schema.infer import completed  # here: it reads the file

    found, text = completed(overrides)
    if text:
        print(clean_lines(text), file=sys.stderr)
    return found


def repeatable_label(kind: str, target: str, overrides: Sequence[str], *more: str) -> str:
    """A label that equal arguments always get, so that a sweep or search that is typed again is continued."""
    plain = [word for word in overrides if "," not in word and ".." not in word]
    key = hashlib.sha256(" ".join([target, *more, *sorted(overrides)]).encode()).hexdigest()[:4]
    return f"{config.label_of(plain)}-{kind}-{key}"
