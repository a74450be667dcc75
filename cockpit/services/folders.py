"""The folders of runs that are shown together, each with a name. New runs are made in the first.

Folders of other programs' logs stand beside them: no command can read a run there.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import UserError
from engine.runs.files import require_folder

NAMED = re.compile(r"([A-Za-z0-9._-]+)=(.+)", re.DOTALL)


class Folders:
    """Which folder a run lies in: ``folders / run`` is the run's own folder."""

    def __init__(self, named: Mapping[str, Path], also: Mapping[str, Path] | None = None) -> None:
        self.named, self.also = dict(named), dict(also or {})
        self.others: dict[str, Path] = {}  # run of another program -> its own folder
        self.main = next(iter(self.named.values()))
        self.where: dict[str, str] = {}  # run -> name of its folder; others lie in the first

    @property
    def several(self) -> bool:
        return len(self.named) + len(self.also) > 1

    def root(self, run: str) -> Path:
        """The folder of runs that a run lies in."""
        return self.named[self.where[run]] if run in self.where else self.main

    def of(self, words: Sequence[str]) -> Path | None:
        """The folder of the runs that the words of a command name; None where they name none."""
        names = self._names(words)
        return self.named[names[0]] if names else None

    def trouble(self, words: Sequence[str]) -> str:
        """Why a command cannot be run: it names runs of two folders."""
        if self.also and any(part in self.others for word in words for part in re.split(r"[=,]", word)):
            return "a run of another program is only shown: no command of the engine reads it"
        names = self._names(words)
        return f"these runs lie in different folders ({' and '.join(names)}): a command reads one" if names[1:] else ""

    def _names(self, words: Sequence[str]) -> list[str]:
        parts = [part for word in words for part in re.split(r"[=,]", word)] if self.several else []
        return list(dict.fromkeys(self.where[part] for part in parts if part in self.where))

    def __truediv__(self, run: str) -> Path:
        return self.others.get(run) or self.root(run) / run


def single(root: Path) -> Folders:
    return Folders({root.name: root})


def named(options: Sequence[str], also: Sequence[str] = ()) -> Folders:
    """Of DIR and NAME=DIR; ``also``: of other programs' logs. Raises UserError."""
    found = _named(options, {}, "--runs")
    return Folders(found, _named(also, found, "--also"))


def _named(options: Sequence[str], taken: Mapping[str, Path], flag: str) -> dict[str, Path]:
    """Name -> folder; one without a name is called as on the disk. Names and folders of ``taken`` are not free."""
    found: dict[str, Path] = {}
    for option in options:
        match = NAMED.fullmatch(option)
        given = match if match and not Path(option).exists() else None
        path = Path(given[2] if given else option).absolute()
        require_folder(path)
        known = {**taken, **found}
        name = given[1] if given else _name(path, known)
        if name in known:
            raise UserError(
                f"two folders are called {name!r}", location=flag, remedy=f"Name them: {flag} {name}2={path}"
            )
        if path.resolve() in (other.resolve() for other in known.values()):
            raise UserError(f"{path} is given twice", location=flag, remedy="Give every folder once.")
        found[name] = path
    return found


def _name(path: Path, taken: Mapping[str, Path]) -> str:
    """The last part of a path, or the last two where another folder is called so."""
    return path.name if path.name not in taken else f"{path.parent.name}/{path.name}"
