"""A file's digest is that of its content, however its times were set, and a large file is hashed once."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.experiments import digests as module
from engine.experiments.digests import DIGESTS, digests


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_text("one\n")
    os.utime(path, (1.7e9, 1.7e9))
    return path


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The clock of the program a minute ahead of the times of the files."""
    moment = time.time() + 60.0
    return lambda: monkeypatch.setattr(module.time, "time", lambda: moment)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read."""
    names: list[str] = []
    real = hashlib.file_digest

    def counted(file, kind):  # type: ignore[no-untyped-def]
        names.append(Path(file.name).name)
        return real(file, kind)

    monkeypatch.setattr(module.hashlib, "file_digest", counted)
    return names


def test_a_file_rewritten_under_its_old_size_and_time_has_another_digest(
    path: Path, tmp_path: Path, later: Callable[[], None]
) -> None:
    later()
    assert digests([path], tmp_path) == {"x.csv": sha("one\n")}
    path.write_text("two\n")
    os.utime(path, (1.7e9, 1.7e9))
    assert digests([path], tmp_path) == {"x.csv": sha("two\n")}


def test_another_file_moved_to_the_same_path_has_another_digest(
    path: Path, tmp_path: Path, later: Callable[[], None]
) -> None:
    (tmp_path / "other.csv").write_text("two\n")
    os.utime(tmp_path / "other.csv", (1.7e9, 1.7e9))
    later()
    digests([path], tmp_path)
    (tmp_path / "other.csv").replace(path)
    assert digests([path], tmp_path) == {"x.csv": sha("two\n")}


def test_a_file_as_it_was_is_hashed_once(
    path: Path, tmp_path: Path, later: Callable[[], None], hashed: list[str]
) -> None:
    later()
    assert digests([path], tmp_path) == digests([path], tmp_path)
    assert hashed == ["x.csv"]


def test_a_file_that_has_just_changed_is_hashed_again(path: Path, tmp_path: Path, hashed: list[str]) -> None:
    """Within one tick of the file system's clock a second change would leave every time as it is."""
    assert digests([path], tmp_path) == digests([path], tmp_path)
    assert hashed == ["x.csv", "x.csv"]
    assert not (tmp_path / DIGESTS).exists()


def test_a_file_that_changes_while_it_is_hashed_is_hashed_again(
    path: Path, tmp_path: Path, later: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    later()
    real = hashlib.file_digest

    def interrupted(file, kind):  # type: ignore[no-untyped-def]
        found = real(file, kind)
        path.write_text("longer\n")
        return found

    monkeypatch.setattr(module.hashlib, "file_digest", interrupted)
    digests([path], tmp_path)
    assert not (tmp_path / DIGESTS).exists()


def test_a_list_of_an_earlier_version_is_kept_and_not_relied_on(
    path: Path, tmp_path: Path, later: Callable[[], None]
) -> None:
    facts = path.stat()
    old = {f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}": sha("another file of this size and time")}
    (tmp_path / DIGESTS).write_text(json.dumps(old))
    later()
    assert digests([path], tmp_path) == {"x.csv": sha("one\n")}
    assert json.loads((tmp_path / DIGESTS).read_text()).items() > old.items()


def test_two_files_of_one_name_both_count(path: Path, tmp_path: Path) -> None:
    (tmp_path / "titles").mkdir()
    other = tmp_path / "titles" / "x.csv"
    other.write_text("titles\n")
    assert digests([path, other], tmp_path) == {"x.csv": sha("one\n"), "x.csv#1": sha("titles\n")}
