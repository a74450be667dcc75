import os
import shutil
import signal
from pathlib import Path

import pytest

from engine.jobs import ending
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Summary

END = Exit(attempt=1, code=1, signal=None, by="self", reason="x" * 500, wall=1.0, max_rss=1, oom=False, t=2.0)


def test_an_end_is_recorded_in_the_room_that_was_reserved(tmp_path: Path) -> None:
    ending.reserve(tmp_path)
    assert Exit.read(tmp_path) is None
    inode = (tmp_path / ".exit.json").stat().st_ino
    ending.record(tmp_path, END)
    assert Exit.read(tmp_path) == END
    assert (tmp_path / "exit.json").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["exit.json"]


@pytest.mark.parametrize(
    ("code", "number", "request_", "reason"),
    [
        (143, None, "stop", "stopped on request"),
        (None, signal.SIGTERM, "stop", "stopped on request before it could save anything"),
        (None, signal.SIGKILL, "stop", "did not end within 30 s of the request to stop, so it was killed"),
        (None, signal.SIGKILL, "kill", "killed on request"),
        (0, None, "stop", ""),
        (1, None, "stop", ""),
        (None, signal.SIGSEGV, "stop", ""),
    ],
)
def test_a_request_explains_the_ends_that_it_can_cause(
    code: int | None, number: int | None, request_: str, reason: str
) -> None:
    assert ending.why_stopped(code, number, request_, 30.0) == reason


def test_an_end_without_a_request_is_explained_by_the_best_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def why(code: int | None, number: int | None = None, oom_at: int | None = None) -> str:
        return ending.why_ended(tmp_path, 2, code, number, oom_at)

    console = tmp_path / "console.log"
    console.touch()
    assert why(0) == ""
    assert why(143) == "stopped"
    assert why(None, signal.SIGSEGV) == "signal 11 (SIGSEGV)"
    assert why(None, signal.SIGKILL).startswith("signal 9 (SIGKILL) from outside")
    assert why(None, signal.SIGKILL, 3 * 2**30) == "out of memory: the kernel killed it at 3.0 GiB"
    assert why(5) == "exit status 5"
    console.write_text("Traceback\n  \x1b[31mValueError: no\x1b[0m\n \n")
    assert why(1) == "ValueError: no"
    summary = Summary(attempt=1, process=Identity.of(os.getpid()), started=1.0, hb=1.0, error="of an earlier attempt")
    summary.write(tmp_path)
    assert why(1) == "ValueError: no"
    summary.attempt, summary.error = 2, "reported by the stage"
    summary.write(tmp_path)
    assert why(1) == "reported by the stage"
    summary.error = ""
    summary.write(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    assert why(2) == "exit status 2; the disk is full"
