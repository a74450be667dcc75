"""Starting runs: what a starter leaves behind, who is refused, and that runs outlive their starter."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.jobs import starter
from engine.jobs.environment import stage_environment
from engine.jobs.starter import launch
from tests.fixtures.jobs import SLEEP, STARTER, process_of, stage_of, trained_once


def test_launching_leaves_no_child_behind(bench: Any) -> None:
    folder = bench.start("")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert bench.ends(folder) == "DONE"


def test_the_engine_itself_runs_the_stage_when_no_command_is_given(bench: Any) -> None:
    folder = bench.create()
    launch(folder)
    assert process_of(folder).argv == [sys.executable, "-m", "engine", "stage", str(folder)]


def test_output_goes_to_the_console_and_the_environment_is_the_stages(bench: Any, tmp_path: Path) -> None:
    source = "import os; print(os.environ['MINE'], os.environ['TOKENIZERS_PARALLELISM'], os.getcwd())"
    folder = bench.create(cwd=str(tmp_path))
    launch(folder, bench.command(folder, source), {"MINE": "kept", "PATH": os.environ["PATH"]})
    bench.ends(folder)
    assert (folder / "console.log").read_text() == f"kept false {tmp_path}\n"


def test_a_second_start_into_a_run_at_work_is_refused(bench: Any) -> None:
    folder = bench.start(SLEEP)
    with pytest.raises(RunError, match=r"at work on this run already\n.*engine stop"):
        launch(folder, bench.command(folder, ""))
    os.kill(process_of(folder).supervisor.pid, signal.SIGKILL)
    stage = stage_of(bench, folder)
    with pytest.raises(RunError, match="at work on this run already"):
        launch(folder, bench.command(folder, ""))
    os.kill(stage.pid, signal.SIGKILL)
    bench.until(lambda: not stage.alive)
    assert bench.state(folder) == "LOST"
    bench.store.resume(bench.store.entry(folder), bench.command(folder, ""))
    assert bench.ends(folder) == "DONE"


def test_of_many_who_start_a_run_at_once_one_does(bench: Any, tmp_path: Path) -> None:
    folder = bench.create()
    source = """
import sys, time
from pathlib import Path
print("worked", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
"""
    start = STARTER.split("print")[0]
    command = [sys.executable, "-c", start, str(folder), *bench.command(folder, source, tmp_path / "go")]
    starters = [
        subprocess.Popen(command, env=stage_environment(os.environ), stderr=subprocess.DEVNULL) for _ in range(4)
    ]
    assert sorted(starter.wait() for starter in starters) == [0, 1, 1, 1]
    (tmp_path / "go").touch()
    assert bench.ends(folder) == "DONE"
    assert (folder / "console.log").read_text() == "worked\n"


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match="is not a run"):
            launch(folder)


def test_a_supervisor_that_dies_at_once_is_an_error(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.sys, "executable", "/bin/false")
    with pytest.raises(RunError, match="its supervisor did not start"):
        launch(bench.create())


# Runs STARTER on a terminal of its own, and hangs up as soon as it has launched.
HANG_UP = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
seen = b""
while b"launched" not in seen:
    seen += os.read(terminal, 100)
os.close(terminal)
sys.exit(-os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_run_outlives_the_terminal_it_was_started_from(bench: Any) -> None:
    folder = bench.create()
    command = [sys.executable, "-c", HANG_UP, STARTER, str(folder), *bench.trainer(folder, 0.02)]
    done = subprocess.run(command, env=stage_environment(os.environ), check=False)
    assert done.returncode == signal.SIGHUP
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)


def test_an_interrupt_at_the_terminal_does_not_reach_the_run(bench: Any) -> None:
    folder = bench.create()
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder), *bench.trainer(folder, 0.02)],
        env=stage_environment(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as starter:
        assert starter.stdout and starter.stdout.readline() == b"launched\n"
        os.killpg(starter.pid, signal.SIGINT)  # what ctrl-c does: to everything in the foreground
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)


def test_a_hang_up_signal_ends_neither_supervisor_nor_stage(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.02))
    stage = stage_of(bench, folder)
    os.kill(process_of(folder).supervisor.pid, signal.SIGHUP)
    os.killpg(stage.pid, signal.SIGHUP)
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)
