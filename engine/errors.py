"""Errors that a person can put right. Everything else is a defect of the program and keeps its traceback."""

import importlib.util
from collections.abc import Sequence


class UserError(Exception):
    """What is wrong, where, and what puts it right; shown without a traceback, exit status 2.

    ``cause`` states the fact, ``location`` names the file, line, setting or run, ``remedy`` the command or value that
    helps.
    """

    def __init__(self, cause: str, *, location: str = "", remedy: str = "") -> None:
        super().__init__(cause)
        self.cause, self.location, self.remedy = cause, location, remedy

    def __str__(self) -> str:
        lines = [f"{self.location}: {self.cause}" if self.location else self.cause]
        if self.remedy:
            lines.append(self.remedy)
        return "\n".join(lines)


class ConfigError(UserError):
    """A setting is unknown, impossible, or contradicts another."""


class DataError(UserError):
    """A file that was given cannot be read as interactions, titles or splits."""


class RunError(UserError):
    """A run is missing, unfinished, occupied or damaged."""


def require_packages(packages: Sequence[str], what: str, extra: str) -> None:
    """UserError where a package of an extra is not installed; imports none of them."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs {' and '.join(missing)}, not installed here",
            remedy=f"pip install 'recdistill[{extra}]'",
        )
