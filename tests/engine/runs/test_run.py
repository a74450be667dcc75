import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError, RunError
from engine.jobs.environment import stage_environment
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.runs.schema import Summary
from engine.stages import ITEM_VECTORS, RANKINGS
from tests.fixtures.runs import Clock, events, summary

# -- files of an attempt


def test_a_checkpoint_is_announced_when_it_is_whole(folder: Path) -> None:
    run = Run.open(folder)
    with pytest.raises(KeyError), run.checkpoint("last") as path:
        path.write_text("half")
        raise KeyError
    assert events(folder, "ckpt") == []
    with run.checkpoint("last") as path:
        path.mkdir()
        (path / "weights").write_bytes(b"1234")
    assert (run.checkpoints / "last" / "weights").exists()
    assert [(event["path"], event["bytes"]) for event in events(folder, "ckpt")] == [("checkpoints/last", 4)]


def test_half_written_files_of_an_attempt_that_died_are_removed(folder: Path) -> None:
    for name in ("artifacts", "checkpoints"):
        (folder / name / ".scratch" / "model").mkdir(parents=True)
        (folder / name / "whole").write_text("x")
    Run.open(folder)
    assert [path.name for path in (folder / "artifacts").iterdir()] == ["whole"]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["whole"]


# -- requests to stop


def test_files_in_control_ask_for_a_stop(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    assert (run.stop_requested, run.stop_after_evaluation) == (False, False)
    (folder / "control").mkdir()
    (folder / "control" / "stop-after-evaluation").touch()
    clock.now += 1
    assert (run.stop_requested, run.stop_after_evaluation) == (False, True)
    (folder / "control" / "stop").touch()
    clock.now += 1
    assert run.stop_requested


def test_a_new_attempt_forgets_what_was_asked_of_the_last(folder: Path) -> None:
    (folder / "control").mkdir()
    (folder / "control" / "stop").touch()
    with pytest.raises(Stopped), Run.open(folder) as run:
        assert run.stop_requested
        raise Stopped
    with Run.open(folder) as run:
        assert not run.stop_requested


def test_control_is_not_looked_at_in_every_step(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(folder, clock)
    looks: list[Path] = []
    monkeypatch.setattr(Path, "exists", lambda path: bool(looks.append(path)))
    for _ in range(1000):  # ten seconds
        clock.now += 0.01
        assert not run.stop_requested
    assert len(looks) <= 2 * 51


def test_sigterm_asks_for_a_stop_and_the_old_handler_comes_back(folder: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Run.open(folder) as run:
        assert not run.stop_requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert run.stop_requested
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_can_work_in_a_thread(folder: Path) -> None:
    def work() -> None:
        with Run.open(folder):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert summary(folder).ended == "done"


# -- the end


@pytest.mark.parametrize(
    ("error", "ended", "reason"),
    [
        (None, "done", ""),
        (Stopped(), "stopped", ""),
        (KeyboardInterrupt(), "stopped", ""),
        (
            DataError("has no rows", location="u.data", remedy="Give another file."),
            "failed",
            "u.data: has no rows\nGive another file.",
        ),
        (ZeroDivisionError("division by zero"), "failed", "ZeroDivisionError: division by zero"),
    ],
)
def test_every_end_is_recorded_and_every_exception_passes(
    folder: Path, error: BaseException | None, ended: str, reason: str
) -> None:
    def work() -> None:
        with Run.open(folder):
            if error:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert (summary(folder).ended, summary(folder).error) == (ended, reason)
    event = events(folder, "end")[0]
    assert (event["status"], event.get("reason", "")) == (ended, reason)
    assert ("Traceback" in event.get("trace", "")) == isinstance(error, ZeroDivisionError)


def test_a_second_holder_of_a_run_is_refused(folder: Path) -> None:
    with (
        Run.open(folder),
        pytest.raises(RunError, match=r"at work on this run already\n.*engine stop"),
        Run.open(folder),
    ):
        pass
    with Run.open(folder) as run:
        assert run.attempt > 1


def with_small_files(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """A stage in a process that may write files of 20,000 bytes at most."""
    source = """
import resource, sys
from pathlib import Path
from engine.errors import UserError
from engine.runs.run import Run
from engine.stages import ITEM_VECTORS, RANKINGS
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with Run.open(Path(sys.argv[1])) as run:
        with run.output(RANKINGS) as path:
            path.write_bytes(b"w" * 10_000)
        if sys.argv[2] == "output":
            with run.output(ITEM_VECTORS) as path:
                path.write_bytes(b"w" * 30_000)
        for step in range(10_000):
            run.evaluation(step, {"val_recall@10": 0.1})
except UserError as error:
    print(error)
    sys.exit(2)
"""
    return subprocess.run(
        [sys.executable, "-c", source, str(folder), what],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("what", "file"), [("events", "events.jsonl"), ("output", ITEM_VECTORS.file)])
def test_a_refused_write_ends_the_work_with_a_remedy_and_loses_nothing(bench: Any, what: str, file: str) -> None:
    folder = bench.create("knowledge")
    done = with_small_files(folder, what)
    assert done.returncode == 2, done.stderr
    assert f"{file}: cannot be written: File too large" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert (folder / "artifacts" / RANKINGS.file).stat().st_size == 10_000
    assert not (folder / "artifacts" / ITEM_VECTORS.file).exists()
    assert summary(folder).ended == "failed"
    assert history(folder).attempt == 1  # still readable


def test_a_full_disk_at_the_end_is_raised_unless_another_error_came_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("cannot be written: No space left on device")

    def work(error: Exception | None) -> None:
        with Run.open(folder):
            monkeypatch.setattr(Summary, "write", full)
            if error:
                raise error

    with pytest.raises(RunError, match="No space"):
        work(None)
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError):
        work(ZeroDivisionError())
