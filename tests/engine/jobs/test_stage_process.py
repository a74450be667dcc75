"""Processes of stages: prepared ones import while their inputs are made, and every one waits to be recorded."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import config
from engine.jobs import stage_process
from engine.jobs.environment import package_path
from engine.jobs.stage_process import StageProcess, memory_to_prepare
from engine.jobs.starter import launch
from engine.runs.files import held, hold
from engine.runs.schema import CONFIG, RunInfo, Slots
from tests.fixtures.jobs import SLEEP, process_of, wait_until

ONE = Slots("cpu", 1)
UNTIL_FILE = """
import sys, time
from pathlib import Path
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
"""
# A stage that imports first: it says so, passes the gate, says so and stays.
GATED = """
import sys, time
from pathlib import Path
from engine.jobs.stage_process import pass_gate
Path("imported").touch()
Path("begun" if pass_gate(int(sys.argv[1].removeprefix("--gate="))) else "left").touch()
time.sleep(60)
"""


def prepared(folder: Path) -> list[psutil.Process]:
    """Processes that import for the run, or wait at its gate."""
    supervisor = process_of(folder).supervisor.pid
    children = psutil.Process(supervisor).children() if psutil.pid_exists(supervisor) else []
    return [child for child in children if "--gate" in " ".join(child.cmdline())]


def looks(folder: Path) -> int:
    """How often the run's supervisor has slept: once between two looks at inputs and queue."""
    status = Path(f"/proc/{process_of(folder).supervisor.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("voluntary_ctxt_switches")))


@pytest.fixture
def waiting(bench: Any, tmp_path: Path) -> Any:
    """A real data run that waits for an input, which ends once the file ``go`` exists."""
    input_ = bench.start(UNTIL_FILE, tmp_path / "go", slots=ONE)
    bench.until(lambda: bench.state(input_) == "RUNNING")
    folder = bench.create("data", inputs={"student": input_.name}, slots=ONE)
    settings = config.load(["data.world.users=60", "data.world.items=80"])
    (folder / CONFIG).write_text(config.dump(settings), encoding="utf-8")
    launch(folder)
    return folder


def test_a_waiting_run_has_imported_its_libraries_when_its_input_is_there(
    bench: Any, waiting: Path, tmp_path: Path
) -> None:
    child = bench.until(lambda: prepared(waiting))[0]
    bench.until(lambda: any("libarrow" in part.path for part in child.memory_maps()))
    assert bench.state(waiting) == "WAITING"
    (tmp_path / "go").touch()
    assert bench.ends(waiting) == "DONE"
    stage = process_of(waiting).stage
    assert stage is not None and stage.pid == child.pid


def test_a_run_that_is_stopped_while_it_waits_leaves_no_process(bench: Any, waiting: Path) -> None:
    child = bench.until(lambda: prepared(waiting))[0]
    bench.store.stop(bench.store.entry(waiting))
    assert bench.ends(waiting) == "STOPPED"
    assert not child.is_running()


def test_a_prepared_process_ends_with_its_supervisor(bench: Any, waiting: Path) -> None:
    child = bench.until(lambda: prepared(waiting))[0]
    os.kill(process_of(waiting).supervisor.pid, signal.SIGKILL)
    bench.until(lambda: not child.is_running())
    assert bench.state(waiting) == "LOST"


def test_a_prepared_process_that_dies_is_replaced_when_the_run_begins(
    bench: Any, waiting: Path, tmp_path: Path
) -> None:
    child = bench.until(lambda: prepared(waiting))[0]
    child.kill()
    (tmp_path / "go").touch()
    assert bench.ends(waiting) == "DONE"


def test_only_as_many_runs_as_there_are_slots_are_prepared(bench: Any, waiting: Path) -> None:
    behind = bench.create("data", inputs={"student": RunInfo.read(waiting).inputs["student"]}, slots=ONE)
    launch(behind)
    bench.until(lambda: prepared(waiting))
    before = looks(behind)
    bench.until(lambda: looks(behind) >= before + 4)
    assert not prepared(behind)


def test_another_command_than_a_stage_is_not_executed_before_it_may_begin(bench: Any, waiting: Path) -> None:
    bench.store.stop(bench.store.entry(waiting))
    bench.ends(waiting)
    folder = bench.start(SLEEP, inputs={"student": RunInfo.read(waiting).inputs["student"]}, slots=ONE)
    before = looks(folder)
    bench.until(lambda: looks(folder) >= before + 4)
    assert psutil.Process(process_of(folder).supervisor.pid).children() == []


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("MemAvailable: 1048576 kB\n", False),
        ("MemFree: 1 kB\nMemAvailable: 4194304 kB\n", True),
        ("MemFree: 9\n", False),
    ],
)
def test_a_process_is_prepared_where_memory_is_left_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, enough: bool
) -> None:
    (tmp_path / "meminfo").write_text(text)
    monkeypatch.setattr(stage_process, "MEMORY", str(tmp_path / "meminfo"))
    assert memory_to_prepare() is enough


def test_no_process_is_prepared_on_a_system_that_does_not_report_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_process, "MEMORY", "/no/such/file")
    assert not memory_to_prepare()


def test_a_prepared_process_keeps_the_slot_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", package_path(os.environ))
    (tmp_path / "stage.py").write_text(GATED)
    lock, slot = hold(tmp_path / "lock"), hold(tmp_path / "slot")
    assert lock is not None and slot is not None
    process = StageProcess([sys.executable, str(tmp_path / "stage.py")], str(tmp_path), lock, prepared=True)
    wait_until((tmp_path / "imported").exists)
    assert not process.ended() and not (tmp_path / "begun").exists()
    process.begin(slot)
    wait_until((tmp_path / "begun").exists)
    os.close(lock)
    os.close(slot)
    assert held(tmp_path / "lock") and held(tmp_path / "slot")
    process.discard()
    assert not held(tmp_path / "lock") and not held(tmp_path / "slot")
