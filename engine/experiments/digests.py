"""Digests of the files that a run reads from outside, remembered so that a large file is hashed once.

Size and time of modification do not tell two contents apart: both can be set. Nothing can set the time of change
(ctime) back, and a replaced file has another inode. A file that changed within the ticks of a file system's clock
before it was hashed may change again under the same times, so its digest is not remembered.
"""

import hashlib
import os
import time
from pathlib import Path

from engine.runs.files import read_json, write_json

DIGESTS = ".digests.json"  # <runs>/: digests by path, size, mtime, ctime and inode
MARGIN = 10.0  # seconds; the coarsest clocks of file systems tick every 2, and a server's may differ from ours


def digests(paths: list[Path], root: Path) -> dict[str, str]:
    """File name -> SHA-256 of its content; files of one name are told apart by their number."""
    cache_file = root / DIGESTS
    known = read_json(cache_file) or {}
    fresh: dict[str, str] = {}
    result: dict[str, str] = {}
    for path in paths:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            key = _key(path, before)
            digest = known.get(key)
            if digest is None:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                if _key(path, os.fstat(file.fileno())) == key and _is_old(before):
                    fresh[key] = digest
        name = path.name if path.name not in result else f"{path.name}#{len(result)}"
        result[name] = digest
    if fresh:
        root.mkdir(parents=True, exist_ok=True)
        write_json(cache_file, known | fresh)
    return result


def _key(path: Path, facts: os.stat_result) -> str:
    return f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}|{facts.st_ctime_ns}|{facts.st_ino}"


def _is_old(facts: os.stat_result) -> bool:
    return max(facts.st_mtime, facts.st_ctime) < time.time() - MARGIN
