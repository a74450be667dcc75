"""Which files below ``data.path`` belong to a data set. Standard library only: the planner imports it.

A file counts under its own name, packed (``.gz``, ``.zst``, ``.xz``, ``.bz2``), with ``.zip``, or as a member of a zip
in the folder; the unpacked file comes before the packed one. A table may also be a folder of files, as Spark and
BigQuery write them (``engine.data.pieces``). A pattern does not find hidden files.
"""

import glob
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from engine.config.settings.data import DataSettings
from engine.data.layouts import CATALOGUE, INTERACTIONS, ITEM_MAP, LAYOUTS, PACKED, TEST, VALIDATION
from engine.data.pieces import alike, hidden, in_order, pieces_of, unpacked
from engine.errors import DataError
from engine.runs.text import clean


@dataclass(frozen=True)
class Source:
    """A file, a member of a zip, or a table in ``pieces``, whose folder is ``path``."""

    path: Path
    member: str = ""
    pieces: tuple[Path, ...] = ()  # in the order in which they are read
    watch: Callable[[int], None] | None = None  # called with the number of bytes read, by the reading thread
    warn: Callable[[str], None] | None = None  # called with what a person should look at

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file's own name without what packs it."""
        return unpacked(PurePosixPath(self.member).name or self.path.name)

    @property
    def files(self) -> tuple[Path, ...]:
        """What lies on the disk."""
        return self.pieces or (self.path,)

    def each(self) -> "tuple[Source, ...]":
        """The pieces of a table as files; the file itself where it is one."""
        return tuple(replace(self, path=path, pieces=()) for path in self.files)


@dataclass(frozen=True)
class Sources:
    """The files of one data set by what they hold."""

    format: str
    parts: dict[str, Source]


def watched(sources: Sources, report: Callable[[int, int], None], warn: Callable[[str], None] | None = None) -> Sources:
    """The same files, whose reading is reported as bytes done of bytes in all, as they lie on the disk."""
    total = sum(path.stat().st_size for path in {path for source in sources.parts.values() for path in source.files})
    done = 0

    def watch(count: int) -> None:
        nonlocal done
        done += count
        report(min(done, total), total)

    return Sources(
        sources.format, {role: replace(part, watch=watch, warn=warn) for role, part in sources.parts.items()}
    )


def files(settings: DataSettings) -> list[Path]:
    """The files that will be read, to be hashed: none for a world that is made or a published set that is fetched."""
    if settings.format == "demo" or (settings.path is None and settings.fetch is not None):
        return []
    return sorted({path for part in find(settings, folder_of(settings)).parts.values() for path in part.files})


def folder_of(settings: DataSettings) -> Path:
    """Where the files are. Raises DataError when no path is set and none may be fetched."""
    if settings.path is None and settings.file is not None and Path(settings.file).expanduser().is_absolute():
        return Path(settings.file).expanduser().parent
    if settings.path is None:
        raise DataError(
            f"the set '{settings.name}' may not be fetched, and its files are not named",
            location="data.path",
            remedy="Set data.path=DIR to the folder that holds them in their original form.",
        )
    path = Path(os.path.expanduser(settings.path))
    if not path.exists():
        raise DataError(
            "there is no such file or folder",
            location=str(path),
            remedy="Set data.path=DIR to the folder with the files.",
        )
    return path


def find(settings: DataSettings, root: Path) -> Sources:
    """The files of the set in the folder or archive ``root``.

    Raises DataError that lists what was looked for and what is there.
    """
    if settings.format != "auto":
        return _all_parts(settings, root, settings.format)
    for format in LAYOUTS:
        try:
            return _all_parts(settings, root, format)
        except Missing:
            continue
    raise DataError(
        "the file names match no layout",
        location=str(root),
        remedy=f"There is: {listed(root)}. Set data.format to one of {', '.join(LAYOUTS)}.",
    )


class Missing(DataError):
    """A file of the layout is not there."""


def _all_parts(settings: DataSettings, root: Path, format: str) -> Sources:
    layout = LAYOUTS[format]
    own = {INTERACTIONS: settings.file, CATALOGUE: settings.catalogue, ITEM_MAP: settings.item_map}
    parts: dict[str, Source] = {}
    for role in (INTERACTIONS, CATALOGUE, ITEM_MAP, VALIDATION, TEST):
        named = own.get(role)
        usual = {**layout.needed, **layout.optional}.get(role, ())
        names = (named,) if named else tuple(name.format(settings.category) for name in usual)
        if not names:
            continue
        source = _locate(root, names, role, bool(named), in_pieces=format == "table")
        if source is not None:
            parts[role] = source
        elif named or role in layout.needed:
            raise Missing(
                f"format {format} needs {' or '.join(names)} (also packed or in a .zip) for its {role}",
                location=str(root),
                remedy=f"There is: {listed(root)}.{_hint(root, names)}",
            )
    return Sources(format, parts)


def _locate(root: Path, names: tuple[str, ...], role: str, named: bool, in_pieces: bool = False) -> Source | None:
    """The first of ``names`` that is there. ``named`` by a person: it may be a path, and comes before a pattern.

    ``in_pieces``: a folder of files, or files of one name but for their numbers, are one table.
    """
    if named and Path(names[0]).expanduser().is_absolute():
        path = Path(names[0]).expanduser()
        if path.suffix == ".zip" and path.is_file():
            inside = members(path)
            if len(inside) > 1:
                raise _several(inside, str(path))
            return Source(path, inside[0]) if inside else None
        return _locate(path.parent, (path.name,), role, named, in_pieces) if path.parent.is_dir() else None
    if root.is_file():
        if root.suffix == ".zip":
            return _member([root], names)
        if role == INTERACTIONS and (not named or root.match(glob.escape(names[0]))):
            return Source(root)
        root = root.parent
    for name in names:
        for exact in (True, False):
            for suffix in PACKED:
                candidates = _found(root, name + suffix, exact, in_pieces)
                if len(candidates) > 1 and in_pieces and alike(candidates):
                    return Source(root, pieces=tuple(candidates))
                if len(candidates) > 1:
                    raise _several([str(path.name) for path in candidates], str(root))
                if candidates:
                    return Source(candidates[0], pieces=pieces_of(candidates[0]) if candidates[0].is_dir() else ())
    if in_pieces and role == INTERACTIONS and not named and (pieces := pieces_of(root)):
        return Source(root, pieces=pieces)
    return _member(sorted(path for path in root.glob("*.zip") if path.is_file() and not hidden(path)), names)


def _found(root: Path, name: str, exact: bool, in_pieces: bool = False) -> list[Path]:
    """The file of that very name, or those that it is a pattern of; with ``in_pieces`` also folders of files."""

    def counts(path: Path) -> bool:
        return path.is_file() or (in_pieces and path.is_dir() and bool(pieces_of(path)))

    if exact:
        return [root / name] if name and counts(root / name) else []
    try:
        return [path for path in in_order(root.glob(name)) if counts(path) and not hidden(path)]
    except (ValueError, NotImplementedError):  # no pattern, or an absolute path
        return []


def _fitting(members: list[str], name: str) -> list[str]:
    """The members whose path ends with that very name, else those that it is a pattern of."""
    names = tuple(name + suffix for suffix in PACKED)
    exact = [member for member in members if f"/{member}".endswith(tuple(f"/{name}" for name in names))]
    return exact or [member for member in members if any(PurePosixPath(member).match(name) for name in names if name)]


def _member(archives: list[Path], names: tuple[str, ...]) -> Source | None:
    """The member of a zip with one of the names; ``x.csv.zip`` may also hold a single file of any name."""
    for name in names:
        candidates = []
        for archive in archives:
            inside = members(archive)
            fitting = _fitting(inside, name)
            if not fitting and _fitting([archive.name], name + ".zip") and inside:
                fitting = inside
            candidates += [Source(archive, member) for member in fitting]
        if len(candidates) > 1:
            raise _several([source.member for source in candidates], str(candidates[0].path))
        if candidates:
            return candidates[0]
    return None


def members(archive: Path) -> list[str]:
    """Names of the files in a zip."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [info.filename for info in opened.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(
            f"the archive is damaged ({error})", location=str(archive), remedy="Fetch or copy it again."
        ) from error
    return [name for name in names if not name.startswith("__MACOSX/")]


def _several(names: list[str], location: str) -> DataError:
    return DataError(
        f"several files could be meant: {clean(', '.join(names))}",
        location=location,
        remedy="Leave one of them there, or name it with data.file (and data.catalogue).",
    )


def listed(root: Path) -> str:
    """What is there, for a message."""
    if root.is_file():
        names = members(root) if root.suffix == ".zip" else [root.name]
    else:
        names = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    return (clean(", ".join(names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")) or "nothing"


def _hint(root: Path, names: tuple[str, ...]) -> str:
    """The folder below that has the file, if one has."""
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []:
        packed = [name + suffix for name in names for suffix in PACKED]
        if any(_found(folder, name, exact) for name in packed for exact in (True, False)):
            return f" It is in {folder.name}: set data.path={folder}."
    return ""
