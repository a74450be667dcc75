"""The folders of runs that are shown together, each with a name. New runs are made in the first."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import UserError
from engine.runs.files import require_folder

NAMED = re.compile(r"([A-Za-z0-9._-]+)=(.+)", re.DOTALL)


class Folders:
    """Which folder a run lies in: ``folders / run`` is the run's own folder."""

    def __init__(self, named: Mapping[str, Path]) -> None:
        self.named = dict(named)
        self.main = next(iter(self.named.values()))
        self.where: dict[str, str] = {}  # run -> name of its folder; others lie in the first

    @property
    def several(self) -> bool:
        return len(self.named) > 1

    def root(self, run: str) -> Path:
        """The folder of runs that a run lies in."""
        return self.named[self.where[run]] if run in self.where else self.main

    def of(self, words: Sequence[str]) -> Path | None:
        """The folder of the runs that the words of a command name; None where they name none."""
        names = self._names(words)
        return self.named[names[0]] if names else None

    def trouble(self, words: Sequence[str]) -> str:
        """Why a command cannot be run: it names runs of two folders."""
        names = self._names(words)
        return f"these runs lie in different folders ({' and '.join(names)}): a command reads one" if names[1:] else ""

    def _names(self, words: Sequence[str]) -> list[str]:
        parts = [part for word in words for part in re.split(r"[=,]", word)] if self.several else []
        return list(dict.fromkeys(self.where[part] for part in parts if part in self.where))

    def __truediv__(self, run: str) -> Path:
        return self.root(run) / run


def single(root: Path) -> Folders:
    return Folders({root.name: root})


def named(options: Sequence[str]) -> Folders:
    """Of DIR and NAME=DIR; a folder without a name is called as on the disk. Raises UserError."""
    found: dict[str, Path] = {}
    for option in options:
        match = NAMED.fullmatch(option)
        given = match if match and not Path(option).exists() else None
        path = Path(given[2] if given else option).absolute()
        require_folder(path)
        name = given[1] if given else _name(path, found)
        if name in found:
            raise UserError(
                f"two folders are called {name!r}", location="--runs", remedy=f"Name them: --runs {name}2={path}"
            )
        if path.resolve() in (other.resolve() for other in found.values()):
            raise UserError(f"{path} is given twice", location="--runs", remedy="Give every folder once.")
        found[name] = path
    return Folders(found)


def _name(path: Path, taken: Mapping[str, Path]) -> str:
    """The last part of a path, or the last two where another folder is called so."""
    return path.name if path.name not in taken else f"{path.parent.name}/{path.name}"
