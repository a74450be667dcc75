"""What the data tests share: settings from conf/, small files, and the folder of the real sets."""

import gzip
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine.config import load
from engine.config.settings.data import DataSettings
from engine.config.settings.tree import tree_of
from engine.data.interactions import Interactions
from engine.data.prepare import Prepared, prepare
from engine.data.readers import read
from engine.data.sources import find, folder_of


class Sets:
    """Small data sets in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> Path:
        """A file, packed where its name says so."""
        path, body = self.folder / name, content.encode() if isinstance(content, str) else content
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
        return path

    def write_zip(self, name: str, members: dict[str, str]) -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return path

    def settings(self, choice: str, **changes: Any) -> DataSettings:
        """The settings of ``conf/data/<choice>.yaml`` with the folder as path, and with changes."""
        tree = asdict(load([f"data={choice}"]).data)
        if choice != "demo":
            tree["path"] = str(self.folder)
        built: DataSettings = tree_of(DataSettings, tree | changes, "data.", "")
        return built

    def read(self, choice: str, **changes: Any) -> Interactions:
        given = self.settings(choice, **changes)
        return read(given, find(given, folder_of(given)))

    def prepare(self, choice: str, **changes: Any) -> Prepared:
        return prepare(self.settings(choice, **changes), self.read(choice, **changes))

    @staticmethod
    def events(interactions: Interactions) -> list[tuple[str, str]]:
        """User and item of every event, as raw ids, in order of the file."""
        users, items = interactions.users.to_pylist(), interactions.items.to_pylist()
        return [(users[u], items[i]) for u, i in zip(interactions.user, interactions.item, strict=True)]

    @staticmethod
    def titles(interactions: Interactions) -> dict[str, str]:
        assert interactions.catalogue is not None
        raw, title = interactions.catalogue.raw.to_pylist(), interactions.catalogue.title.to_pylist()
        return dict(zip(raw, title, strict=True))


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    return Sets(tmp_path)


@pytest.fixture
def real_sets() -> Callable[[str], Sets]:
    """The real set of a name; the test is skipped where there is none."""

    def of(name: str) -> Sets:
        root = os.environ.get("ENGINE_TEST_DATA")
        if not root:
            pytest.skip("ENGINE_TEST_DATA does not name the folder of the real data sets")
        return Sets(Path(root) / name)

    return of
