"""Real supervisors and real stages: what they wait for, run and record, judged by the states that people see."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.starter import launch
from engine.runs.reader import history
from engine.runs.schema import RunInfo, Slots
from tests.fixtures.jobs import REPORTS, SLEEP, exit_of, process_of, stage_of, trained_once


def test_a_stage_is_run_and_its_end_recorded(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder))
    assert bench.state(folder) in ("WAITING", "RUNNING")
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)
    end = exit_of(folder)
    assert (end.attempt, end.code, end.signal, end.by, end.oom) == (1, 0, None, "self", False)
    assert end.wall > 0
    assert end.max_rss > 1_000_000


@pytest.mark.parametrize(
    ("source", "state", "reason"),
    [
        ("import sys; sys.exit(3)", "FAILED", "exit status 3"),
        ("import json; print('so far so good', flush=True); json.loads('')", "FAILED", "json.decoder.JSONDecodeError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "KILLED", "signal 9 (SIGKILL) from outside"),
        ("import ctypes; ctypes.string_at(0)", "KILLED", "signal 11 (SIGSEGV)"),
        (
            REPORTS.replace("while True:", "raise RuntimeError('no luck')\n    while True:"),
            "FAILED",
            "RuntimeError: no luck",
        ),
    ],
)
def test_every_end_has_its_state_and_its_reason(bench: Any, source: str, state: str, reason: str) -> None:
    folder = bench.start(source)
    assert bench.ends(folder) == state
    assert reason in bench.store.entry(folder).status.reason


@pytest.mark.parametrize(
    ("work", "state", "code"),
    [
        ("run.note(rows=3)", "DONE", 0),
        ("raise RuntimeError('no luck')", "FAILED", 1),
        ("raise Stopped", "STOPPED", 143),
    ],
)
def test_a_crash_after_the_stage_recorded_its_end_changes_nothing(bench: Any, work: str, state: str, code: int) -> None:
    source = f"""
import ctypes, sys
from pathlib import Path
from engine.runs.run import Run, Stopped
try:
    with Run.open(Path(sys.argv[1])) as run:
        {work}
finally:
    ctypes.string_at(0)
"""
    folder = bench.start(source)
    assert bench.ends(folder) == state
    end = exit_of(folder)
    assert (end.code, end.signal) == (code, None)
    assert ("no luck" in end.reason) == (state == "FAILED")
    assert "before signal 11 (SIGSEGV) ended its process" in (folder / "console.log").read_text()


def test_the_end_of_an_earlier_attempt_does_not_hide_a_crash(bench: Any) -> None:
    folder = bench.start(
        "from pathlib import Path; import sys; from engine.runs.run import Run\nwith Run.open(Path(sys.argv[1])): pass"
    )
    assert bench.ends(folder) == "DONE"
    launch(folder, bench.command(folder, "import ctypes; ctypes.string_at(0)"))
    assert bench.ends(folder) == "KILLED"
    assert exit_of(folder).attempt == 2


def test_a_wrapper_may_stand_between_the_supervisor_and_the_stage(bench: Any) -> None:
    folder = bench.create()
    launch(folder, ["/bin/sh", "-c", '"$@"; exit $?', "sh", *bench.trainer(folder)])
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)
    assert history(folder).attempt == 1


def test_a_command_that_does_not_exist_is_the_reason_of_the_failure(bench: Any) -> None:
    folder = bench.create()
    launch(folder, ["/no/such/command"])
    assert bench.ends(folder) == "FAILED"
    assert "/no/such/command: No such file" in bench.store.entry(folder).status.reason


def test_what_the_stage_leaves_running_is_ended(bench: Any) -> None:
    source = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
print(subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid)
"""
    folder = bench.start(source)
    assert bench.ends(folder) == "DONE"
    for pid in (folder / "console.log").read_text().split():
        assert not Path(f"/proc/{pid}/cmdline").exists() or b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_end_is_written_into_room_that_was_taken_at_the_start(bench: Any) -> None:
    folder = bench.start(SLEEP)
    stage_of(bench, folder)
    reserved = (folder / ".exit.json").stat()
    assert reserved.st_blocks * 512 >= 4096
    bench.store.stop(bench.store.entry(folder), "kill")
    bench.ends(folder)
    assert (folder / "exit.json").stat().st_ino == reserved.st_ino


def test_the_run_record_is_left_as_the_planner_wrote_it(bench: Any) -> None:
    folder = bench.create()
    before = (folder / "run.json").read_bytes()
    launch(folder, bench.trainer(folder))
    bench.ends(folder)
    assert (folder / "run.json").read_bytes() == before
    assert RunInfo.read(folder).id == folder.name


def test_a_run_waits_for_its_input_and_then_starts(bench: Any) -> None:
    data = bench.create("data")
    folder = bench.start("print('worked')", inputs={"data": data.name})
    assert (bench.state(folder), bench.store.entry(folder).status.reason) == ("WAITING", "for its inputs")
    assert (folder / "console.log").read_text() == ""
    launch(data, bench.command(data, ""))
    assert bench.ends(folder) == "DONE"
    assert bench.state(data) == "DONE"


@pytest.mark.parametrize(
    ("source", "reason"),
    [("import sys; sys.exit('no such file')", "which is FAILED: no such file"), (None, "is not a run")],
)
def test_a_run_whose_input_cannot_come_any_more_ends_with_the_reason(bench: Any, source: str, reason: str) -> None:
    data = bench.start(source, stage="data").name if source else "data-20260101-000000-aaaa"
    folder = bench.start("print('worked')", inputs={"data": data})
    assert bench.ends(folder) == "FAILED"
    assert bench.store.entry(folder).status.reason == f"needs {data}, {reason}" or reason in exit_of(folder).reason
    assert exit_of(folder).by == "inputs"
    assert (folder / "console.log").read_text() == ""


def test_slots_limit_how_many_work_at_a_time(bench: Any, tmp_path: Path) -> None:
    source = """
import os, sys, time
from pathlib import Path
here = Path(sys.argv[2])
mine = here / str(os.getpid())
mine.touch()
while not here.with_name("go").exists():
    time.sleep(0.01)
print(len(list(here.iterdir())))
mine.unlink()
"""
    here = tmp_path / "at work"
    here.mkdir()
    folders = [bench.start(source, here, slots=Slots("cpu/x", 2)) for _ in range(5)]
    bench.until(lambda: len(list(here.iterdir())) == 2)
    bench.until(lambda: sorted(map(bench.state, folders)) == ["QUEUED"] * 3 + ["RUNNING"] * 2)
    (tmp_path / "go").touch()
    assert [bench.ends(folder) for folder in folders] == ["DONE"] * 5
    assert max(int((folder / "console.log").read_text()) for folder in folders) <= 2


def test_a_slot_stays_taken_while_the_stage_lives_even_without_its_supervisor(bench: Any) -> None:
    first = bench.start(SLEEP, slots=Slots("cpu", 1))
    stage = stage_of(bench, first)
    os.kill(process_of(first).supervisor.pid, signal.SIGKILL)
    second = bench.start("", slots=Slots("cpu", 1))
    bench.until(lambda: bench.state(second) == "QUEUED")
    assert bench.store.entry(second).status.reason == "for a free slot"
    os.kill(stage.pid, signal.SIGKILL)
    assert bench.ends(second) == "DONE"
    assert bench.state(first) == "LOST"
