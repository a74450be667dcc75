"""Fetching published sets from a server on this machine, and every way in which that can fail."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.data import download
from engine.data.download import SETS, Published, cache, fetched
from engine.errors import DataError

BODY = b"ratings " * 400_000  # more than one block


class Answers(http.server.BaseHTTPRequestHandler):
    """/whole gives the body, /short less than it promises, anything else is missing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if not self.path.startswith(("/whole", "/short")):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: 1000 if self.path.startswith("/short") else None])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGINE_DOWNLOADS", str(tmp_path / "kept"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "kept"


def publish(monkeypatch: pytest.MonkeyPatch, server: Any, path: str, md5: str = "") -> None:
    address = f"http://127.0.0.1:{server.server_address[1]}{path}"
    monkeypatch.setitem(SETS, "ml-100k", Published((address,), md5))


def silent(done: int, total: int, phase: str, unit: str) -> None:
    pass


def test_a_set_is_fetched_once_and_progress_is_told(
    sets: Any, server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/whole/set.zip", hashlib.md5(BODY).hexdigest())
    reports: list[tuple[int, int, str, str]] = []
    given = sets.settings("ml-100k", path=None)
    folder = fetched(given, lambda *words: reports.append(words))
    assert (folder / "set.zip").read_bytes() == BODY and folder == own_cache / "ml-100k"
    assert len(reports) > 1 and reports[-1] == (len(BODY), len(BODY), "fetching set.zip", "bytes")
    assert fetched(given, silent) == folder and len(server.asked) == 1


def test_a_file_with_another_checksum_is_refused_and_not_kept(
    sets: Any, server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/whole/set.zip", "0" * 32)
    with pytest.raises(DataError, match="not the published one") as error:
        fetched(sets.settings("ml-100k", path=None), silent)
    assert "data.path=DIR" in error.value.remedy
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_transfer_that_ends_early_is_refused_and_not_kept(
    sets: Any, server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/short/set.zip")
    with pytest.raises(DataError) as error:
        fetched(sets.settings("ml-100k", path=None), silent)
    assert "data.path=DIR" in error.value.remedy
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_an_address_that_answers_nothing_names_the_local_alternative(
    sets: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/gone/set.zip")
    with pytest.raises(DataError, match="404") as error:
        fetched(sets.settings("ml-100k", path=None), silent)
    assert "set.zip" in error.value.remedy and "data.path=DIR" in error.value.remedy


def test_without_a_network_the_local_alternative_is_named(sets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as closed:
        port = closed.server_address[1]
    monkeypatch.setitem(SETS, "ml-100k", Published((f"http://127.0.0.1:{port}/ml-100k.zip",)))
    with pytest.raises(DataError, match="refused") as error:
        fetched(sets.settings("ml-100k", path=None), silent)
    assert error.value.location.endswith("/ml-100k.zip")
    assert "ml-100k.zip" in error.value.remedy and "data.path=DIR" in error.value.remedy


def test_without_a_published_checksum_the_first_download_is_the_measure(
    sets: Any, server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/whole/set.zip")
    given = sets.settings("ml-100k", path=None)
    kept = fetched(given, silent) / "set.zip"
    assert fetched(given, silent)
    kept.write_bytes(b"something else")
    with pytest.raises(DataError, match="changed since"):
        fetched(given, silent)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(
    sets: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    publish(monkeypatch, server, "/whole/set.zip")
    with pytest.raises(DataError, match="cannot be made") as error:
        fetched(sets.settings("ml-100k", path=None), silent)
    assert "ENGINE_DOWNLOADS" in error.value.remedy


def test_an_interrupted_transfer_leaves_nothing_behind(
    sets: Any, server: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server, "/whole/set.zip")

    def interrupt(*words: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(sets.settings("ml-100k", path=None), interrupt)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_an_unknown_set_lists_those_that_may_be_fetched(sets: Any) -> None:
    with pytest.raises(DataError, match="ml-5m") as error:
        fetched(sets.settings("ml-100k", path=None, fetch="ml-5m"), silent)
    assert "ml-32m" in error.value.remedy


def test_sets_come_over_https_and_movielens_releases_have_their_checksum() -> None:
    assert all(url.startswith("https://") for published in SETS.values() for url in published.urls)
    assert all(len(SETS[name].md5) == 32 for name in SETS if name.startswith("ml-") and "latest" not in name)


def test_an_amazon_category_has_a_folder_of_its_own(sets: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{server.server_address[1]}/whole/{{}}"
    monkeypatch.setitem(SETS, "amazon-2023", Published((f"{address}.jsonl.gz", f"{address}-meta.jsonl.gz")))
    folder = fetched(sets.settings("amazon-2023", path=None), silent)
    assert folder == cache() / "amazon-2023" / "Video_Games"
    assert server.asked == ["/whole/Video_Games.jsonl.gz", "/whole/Video_Games-meta.jsonl.gz"]


def test_fetched_files_are_kept_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ENGINE_DOWNLOADS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.cache() == tmp_path / "recdistill"
