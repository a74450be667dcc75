"""Download of published sets: addresses and checksums. Standard library only."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.config.settings.data import DataSettings
from engine.errors import DataError

TIMEOUT = 30  # seconds without an answer
BLOCK = 1 << 20
Report = Callable[[int, int, str, str], None]  # done, total, phase, unit


@dataclass(frozen=True)
class Published:
    """Addresses of a set's files; ``{}`` stands for data.category. ``md5`` as published, '' where none is."""

    urls: tuple[str, ...]
    md5: str = ""


def _grouplens(name: str, md5: str) -> Published:
    return Published((f"https://files.grouplens.org/datasets/movielens/{name}.zip",), md5)


_MCAULEY = "https://mcauleylab.ucsd.edu/public_datasets/data"
SETS = {
    "ml-100k": _grouplens("ml-100k", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": _grouplens("ml-1m", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-10m": _grouplens("ml-10m", "ce571fd55effeba0271552578f2648bd"),
    "ml-20m": _grouplens("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3"),
    "ml-25m": _grouplens("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": _grouplens("ml-32m", "d472be332d4daa821edc399621853b57"),
    "ml-latest": _grouplens("ml-latest", ""),  # changes from time to time
    "ml-latest-small": _grouplens("ml-latest-small", ""),
    "amazon-2018": Published(
        (
            f"{_MCAULEY}/amazon_v2/categoryFilesSmall/{{}}_5.json.gz",
            f"{_MCAULEY}/amazon_v2/metaFiles2/meta_{{}}.json.gz",
        )
    ),
    "amazon-2023": Published(
        (
            f"{_MCAULEY}/amazon_2023/raw/review_categories/{{}}.jsonl.gz",
            f"{_MCAULEY}/amazon_2023/raw/meta_categories/meta_{{}}.jsonl.gz",
        )
    ),
}


def fetched(settings: DataSettings, report: Report) -> Path:
    """The folder with the files of the published set ``settings.fetch``, fetched unless they are there.

    A file is written under another name, checked and renamed, so one that exists is complete. Where no checksum is
    published, the SHA-256 of the first download is kept beside the file and checked from then on.
    Raises DataError without a network, for an unknown set and for a file with another checksum.
    """
    if settings.fetch not in SETS:
        raise DataError(
            f"there is no published set '{settings.fetch}'",
            location="data.fetch",
            remedy=f"Sets that may be fetched: {', '.join(SETS)}. Or set data.path=DIR to files of your own.",
        )
    folder = cache() / settings.fetch / (settings.category or "")
    for url in SETS[settings.fetch].urls:
        address = url.format(settings.category)
        file = folder / address.rsplit("/", 1)[1]
        if file.exists():
            _check_kept(file)
        else:
            _fetch(address, file, SETS[settings.fetch].md5, report)
    return folder


def cache() -> Path:
    """Where fetched files are kept: ENGINE_DOWNLOADS, else below the user's cache folder."""
    own = os.environ.get("ENGINE_DOWNLOADS")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recdistill"


def _fetch(url: str, file: Path, md5: str, report: Report) -> None:
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    remedy = f"Or copy {file.name} into a folder by hand and set data.path to that folder: data.path=DIR."
    request = urllib.request.Request(url, headers={"User-Agent": "recdistill"})
    found = (hashlib.md5(usedforsecurity=False), hashlib.sha256())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder for fetched files cannot be made ({error})",
            location=str(file.parent),
            remedy=f"Set ENGINE_DOWNLOADS to a folder that can be written. {remedy}",
        ) from error
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, partial.open("wb") as kept:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            while block := answer.read(BLOCK):
                kept.write(block)
                for digest in found:
                    digest.update(block)
                done += len(block)
                report(done, max(total, done), f"fetching {file.name}", "bytes")
        if done < total:
            raise DataError(
                f"the transfer ended after {done:,} of {total:,} bytes", location=url, remedy=f"Try again. {remedy}"
            )
        if md5 and found[0].hexdigest() != md5:
            raise DataError(
                f"the file is not the published one: its MD5 is {found[0].hexdigest()}, published is {md5}",
                location=url,
                remedy=f"Try again. {remedy}",
            )
        if not md5:
            _beside(file).write_text(found[1].hexdigest(), encoding="ascii")
        partial.replace(file)
    except (OSError, http.client.HTTPException) as error:  # URLError, time-outs and a full disk are OSErrors
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise DataError(f"the file cannot be fetched ({error})", location=url, remedy=remedy) from error
    finally:
        partial.unlink(missing_ok=True)


def _check_kept(file: Path) -> None:
    """A file without a published checksum has to be the one that was fetched first."""
    beside = _beside(file)
    if not beside.exists():
        return
    with file.open("rb") as kept:
        digest = hashlib.file_digest(kept, "sha256").hexdigest()
    if digest != beside.read_text(encoding="ascii").strip():
        raise DataError(
            "the file has changed since it was fetched",
            location=str(file),
            remedy="Delete it, and it is fetched again.",
        )


def _beside(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")
