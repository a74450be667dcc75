"""Real supervisors and real stages; what they record is judged by the states a person would be told."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.jobs import starter
from engine.jobs.environment import stage_environment
from engine.jobs.starter import launch
from engine.jobs.state import State
from engine.runs.identity import Identity
from engine.runs.reader import history
from engine.runs.schema import Exit, Process, RunInfo, Slots
from engine.stages import STUDENT_MODEL

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
REPORTS = """
import sys, time
from pathlib import Path
from engine.runs.run import Run
with Run.open(Path(sys.argv[1])) as run:
    while True:
        run.progress(1, 2, "train")
        time.sleep(0.02)
"""

STARTER = """
import sys, time
from pathlib import Path
from engine.jobs.starter import launch
launch(Path(sys.argv[1]), sys.argv[2:])
print("launched", flush=True)
time.sleep(60)
"""


def process(folder: Path) -> Process:
    read = Process.read(folder)
    assert read is not None
    return read


def stage_of(bench: Any, folder: Path) -> Identity:
    """The stage's process, as soon as it works: recorded, and heard of."""
    bench.until(lambda: bench.store.entry(folder).summary or (folder / "console.log").read_text())
    found = process(folder).stage
    assert found is not None
    return found


def recorded_end(folder: Path) -> Exit:
    read = Exit.read(folder)
    assert read is not None
    return read


def is_whole(folder: Path) -> bool:
    """Whether the trainer's work is there: each step counted once, told once."""
    total = int((folder / "artifacts" / STUDENT_MODEL.file).read_text())
    steps = history(folder).series["loss"].steps
    return total == sum(range(41)) and steps == list(range(1, 41))


# -- a quiet life


def test_a_stage_is_run_and_its_end_recorded(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder))
    assert bench.state(folder) in ("WAITING", "RUNNING")
    assert bench.ends(folder) == "DONE"
    assert is_whole(folder)
    end = recorded_end(folder)
    assert (end.attempt, end.code, end.signal, end.by, end.oom) == (1, 0, None, "self", False)
    assert end.wall > 0
    assert end.max_rss > 1_000_000


def test_launching_leaves_no_child_behind(bench: Any) -> None:
    folder = bench.start("")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert bench.ends(folder) == "DONE"


def test_the_engine_itself_runs_the_stage_when_no_command_is_given(bench: Any) -> None:
    folder = bench.create()
    launch(folder)
    bench.ends(folder)
    assert process(folder).argv == [sys.executable, "-m", "engine", "stage", str(folder)]


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


def test_a_wrapper_may_stand_between_the_supervisor_and_the_stage(bench: Any) -> None:
    folder = bench.create()
    launch(folder, ["/bin/sh", "-c", '"$@"; exit $?', "sh", *bench.trainer(folder)])
    assert bench.ends(folder) == "DONE"
    assert is_whole(folder)
    assert history(folder).attempt == 1


def test_a_command_that_does_not_exist_is_told(bench: Any) -> None:
    folder = bench.create()
    launch(folder, ["/no/such/command"])
    assert bench.ends(folder) == "FAILED"
    assert "/no/such/command: No such file" in bench.store.entry(folder).status.reason


def test_output_goes_to_the_console_and_the_environment_is_the_stages(bench: Any, tmp_path: Path) -> None:
    source = "import os; print(os.environ['MINE'], os.environ['TOKENIZERS_PARALLELISM'], os.getcwd())"
    folder = bench.create(cwd=str(tmp_path))
    launch(folder, bench.command(folder, source), {"MINE": "kept", "PATH": os.environ["PATH"]})
    bench.ends(folder)
    assert (folder / "console.log").read_text() == f"kept false {tmp_path}\n"


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


# -- waiting


def test_a_run_waits_for_its_input_and_then_starts(bench: Any) -> None:
    data = bench.create("data")
    folder = bench.start("print('worked')", inputs={"data": data.name})
    assert (bench.state(folder), bench.store.entry(folder).status.reason) == ("WAITING", "for its inputs")
    assert (folder / "console.log").read_text() == ""
    launch(data, bench.command(data, ""))
    assert bench.ends(folder) == "DONE"
    assert bench.state(data) == "DONE"


@pytest.mark.parametrize(
    ("source", "told"),
    [("import sys; sys.exit('no such file')", "which is FAILED: no such file"), (None, "is not a run")],
)
def test_a_run_whose_input_cannot_come_any_more_ends_with_the_reason(bench: Any, source: str, told: str) -> None:
    data = bench.start(source, stage="data").name if source else "data-20260101-000000-aaaa"
    folder = bench.start("print('worked')", inputs={"data": data})
    assert bench.ends(folder) == "FAILED"
    assert bench.store.entry(folder).status.reason == f"needs {data}, {told}" or told in recorded_end(folder).reason
    assert recorded_end(folder).by == "inputs"
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
    os.kill(process(first).supervisor.pid, signal.SIGKILL)
    second = bench.start("", slots=Slots("cpu", 1))
    bench.until(lambda: bench.state(second) == "QUEUED")
    assert bench.store.entry(second).status.reason == "for a free slot"
    os.kill(stage.pid, signal.SIGKILL)
    assert bench.ends(second) == "DONE"
    assert bench.state(first) == "LOST"


# -- being stopped


def test_a_stopped_run_saves_its_work_and_goes_on_from_there(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.05))
    bench.until(lambda: history(folder).series.get("loss"))
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"
    assert (recorded_end(folder).code, recorded_end(folder).by) == (143, "user")
    saved = json.loads((folder / "checkpoints" / "state.json").read_text())[0]
    assert 1 <= saved < 40
    bench.store.resume(bench.store.entry(folder), bench.trainer(folder))
    assert bench.ends(folder) == "DONE"
    assert is_whole(folder)
    assert (recorded_end(folder).attempt, history(folder).attempt) == (2, 2)
    assert json.loads((folder / "exit-1.json").read_text())["code"] == 143


def test_a_stop_after_the_next_evaluation_waits_for_it(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.02))
    bench.until(lambda: history(folder).series.get("loss"))
    bench.store.stop(bench.store.entry(folder), "evaluation")
    assert bench.ends(folder) == "STOPPED"
    steps = [evaluation.step for evaluation in history(folder).evaluations]
    assert steps and json.loads((folder / "checkpoints" / "state.json").read_text())[0] == steps[-1]


def test_a_stage_that_does_not_listen_is_killed_after_the_grace(bench: Any) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: pass"
    folder = bench.start(deaf, grace=0.2)
    bench.until(lambda: (folder / "console.log").read_text())
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "KILLED"
    told = "did not end within 0.2 s of the request to stop, so it was killed"
    assert bench.store.entry(folder).status.reason == told


def test_a_stage_that_has_not_yet_learnt_to_listen_is_stopped(bench: Any) -> None:
    folder = bench.start(SLEEP)
    stage_of(bench, folder)
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"


def test_a_run_can_be_killed_at_once(bench: Any) -> None:
    folder = bench.start(REPORTS)
    bench.until(lambda: bench.store.entry(folder).summary)
    bench.store.stop(bench.store.entry(folder), "kill")
    assert bench.ends(folder) == "KILLED"
    assert (bench.store.entry(folder).status.reason, recorded_end(folder).by) == ("killed on request", "user")


@pytest.mark.parametrize("when", ["now", "evaluation", "kill"])
@pytest.mark.parametrize("waits", ["for an input", "for a slot"])
def test_a_run_that_waits_can_be_stopped(bench: Any, waits: str, when: str) -> None:
    if waits == "for an input":
        data = bench.start(SLEEP, stage="data")
        folder = bench.start("", inputs={"data": data.name})
    else:
        stage_of(bench, bench.start(SLEEP, slots=Slots("cpu", 1)))
        folder = bench.start("", slots=Slots("cpu", 1))
        bench.until(lambda: bench.state(folder) == "QUEUED")
    bench.store.stop(bench.store.entry(folder), when)
    assert bench.ends(folder) == "STOPPED"
    assert bench.store.entry(folder).status.reason == "stopped before it began"


def test_a_run_that_was_stopped_before_it_was_taken_up_does_not_start(bench: Any) -> None:
    folder = bench.create()
    bench.store.stop(bench.store.entry(folder))
    launch(folder, bench.command(folder, "print('worked')"))
    assert bench.ends(folder) == "STOPPED"
    assert (folder / "console.log").read_text() == ""


def test_a_run_without_its_supervisor_can_still_be_stopped(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.05))
    bench.until(lambda: history(folder).series.get("loss"))
    os.kill(process(folder).supervisor.pid, signal.SIGKILL)
    bench.until(lambda: not process(folder).supervisor.alive)
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"


# -- being started twice


def test_a_second_start_into_a_run_at_work_is_refused(bench: Any) -> None:
    folder = bench.start(SLEEP)
    with pytest.raises(RunError, match=r"at work on this run already\n.*engine stop"):
        launch(folder, bench.command(folder, ""))
    os.kill(process(folder).supervisor.pid, signal.SIGKILL)
    stage = stage_of(bench, folder)
    with pytest.raises(RunError, match="at work on this run already"):
        launch(folder, bench.command(folder, ""))
    os.kill(stage.pid, signal.SIGKILL)
    bench.until(lambda: not stage.alive)
    assert bench.state(folder) == "LOST"
    bench.store.resume(bench.store.entry(folder), bench.command(folder, ""))
    assert bench.ends(folder) == "DONE"


def test_of_many_who_start_a_run_at_once_one_does(bench: Any) -> None:
    folder = bench.create()
    command = bench.command(folder, "import time; print('worked', flush=True); time.sleep(1)")
    start = STARTER.split("print")[0]
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", start, str(folder), *command],
            env=stage_environment(os.environ),
            stderr=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    assert sorted(starter.wait() for starter in starters) == [0, 1, 1, 1]
    assert bench.ends(folder) == "DONE"
    assert (folder / "console.log").read_text() == "worked\n"


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match="is not a run"):
            launch(folder)


def test_a_supervisor_that_dies_at_once_is_told(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.sys, "executable", "/bin/false")
    with pytest.raises(RunError, match="its supervisor did not start"):
        launch(bench.create())


# -- sudden deaths


def test_a_stage_outlives_its_supervisor_and_is_done(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.02))
    stage_of(bench, folder)
    os.kill(process(folder).supervisor.pid, signal.SIGKILL)
    bench.until(lambda: bench.store.entry(folder).status.reason == "its supervisor is gone")
    assert bench.state(folder) == "RUNNING"
    assert bench.ends(folder) == "DONE"
    assert not (folder / "exit.json").exists()
    assert is_whole(folder)


# A supervisor whose stage is killed in the moment in which it has been recorded.
KILLED_AT_ONCE = """
import os, signal, sys
from pathlib import Path
from engine.jobs.supervisor import Supervisor

class Unlucky(Supervisor):
    def _record(self, phase, stage=None):
        super()._record(phase, stage)
        if stage:
            os.kill(stage.pid, signal.SIGKILL)
            os.waitid(os.P_PID, stage.pid, os.WEXITED | os.WNOWAIT)

run = Unlucky(Path(sys.argv[1]), [sys.executable, "-c", "pass"], 5.0)
run.take()
run.work()
"""


def test_a_stage_that_is_killed_before_it_begins_is_told_as_killed(bench: Any) -> None:
    folder = bench.create()
    done = subprocess.run([sys.executable, "-c", KILLED_AT_ONCE, str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.state(folder) == "KILLED"


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
    assert is_whole(folder)


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
    assert is_whole(folder)


def test_a_hang_up_signal_ends_neither_supervisor_nor_stage(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.02))
    stage = stage_of(bench, folder)
    os.kill(process(folder).supervisor.pid, signal.SIGHUP)
    os.killpg(stage.pid, signal.SIGHUP)
    assert bench.ends(folder) == "DONE"
    assert is_whole(folder)


def test_whoever_is_killed_at_whatever_moment_the_state_is_told_and_the_work_completed(bench: Any) -> None:
    """Ten runs at once; the supervisor, the stage, both or the starter of each gets SIGKILL at a random moment."""
    chance = random.Random(7)
    victims = ["supervisor", "stage", "both", "starter", "supervisor", "stage", "both", "starter", "stage", "starter"]
    runs: list[tuple[str, Path, subprocess.Popen[bytes], float]] = []
    for victim in victims:
        folder = bench.create()
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder), *bench.trainer(folder, 0.02)],
            env=stage_environment(os.environ),
            stdout=subprocess.DEVNULL,
        )
        # A starter may die before it has launched anything; the others are there at a moment that varies.
        runs.append((victim, folder, starter, time.monotonic() + chance.uniform(0.0, 2.5)))
    deaths: dict[Path, float] = {}
    for victim, folder, starter, moment in sorted(runs, key=lambda run: run[3]):
        bench.until(lambda moment=moment: time.monotonic() >= moment)
        if victim == "starter":
            starter.kill()
        else:
            known = bench.until(lambda folder=folder: Process.read(folder))
            for identity in (known.supervisor, known.stage):
                wanted = victim == "both" or (identity is known.supervisor) == (victim == "supervisor")
                if wanted and identity and identity.alive:
                    os.kill(identity.pid, signal.SIGKILL)
        deaths[folder] = time.monotonic()
    for victim, folder, starter, _ in sorted(runs, key=lambda run: run[0] in ("starter", "supervisor")):
        # Work that goes on may take its time; what is dead is told as dead within ten seconds.
        dead = victim in ("stage", "both")
        ended = bench.ends(folder, seconds=max(deaths[folder] + 10 - time.monotonic(), 0) if dead else 60)
        fine = {"stage": ("KILLED", "DONE"), "starter": ("DONE", "LOST")}.get(victim, ("LOST", "DONE", "KILLED"))
        assert ended in fine, victim
        model = folder / "artifacts" / STUDENT_MODEL.file
        assert model.exists() or ended != "DONE"
        assert not model.exists() or model.read_text() == str(sum(range(41)))  # what is there is whole
        starter.kill()
        starter.wait()
    for _, folder, _, _ in runs:
        entry = bench.store.entry(folder)
        if entry.state is not State.DONE:
            bench.store.resume(entry, bench.trainer(folder))
    for _, folder, _, _ in runs:
        assert bench.ends(folder) == "DONE"
        assert is_whole(folder)
        assert not list(folder.glob("*/.scratch/*"))


def test_a_supervisor_killed_before_it_recorded_the_stage_leaves_no_stage(bench: Any, monkeypatch: Any) -> None:
    """The forked stage waits for a word that it has been recorded, and goes when the word cannot come."""
    source = """
import os, signal, sys
from pathlib import Path
from engine.jobs import supervisor
def die(self, phase, stage=None):
    if stage:
        print(stage.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
supervisor.Supervisor._record = die
supervisor.main([sys.argv[1], "--", sys.executable, "-c", "print('worked', flush=True)"])
"""
    folder = bench.create()
    done = subprocess.run(
        [sys.executable, "-c", source, str(folder)],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    pid = int(done.stdout)  # both have closed their output: nothing is left running
    assert "worked" not in done.stdout
    assert not Path(f"/proc/{pid}/cwd").exists()


def test_a_recycled_number_of_a_dead_run_fools_nobody(bench: Any) -> None:
    folder = bench.start(SLEEP)
    stage = stage_of(bench, folder)
    before = process(folder)
    for pid in (before.supervisor.pid, stage.pid):
        os.kill(pid, signal.SIGKILL)
    bench.until(lambda: not stage.alive)
    mine = os.getpid()
    replace(before, supervisor=replace(before.supervisor, pid=mine), stage=replace(stage, pid=mine)).write(folder)
    assert bench.state(folder) == "LOST"


def test_the_run_record_is_left_as_the_planner_wrote_it(bench: Any) -> None:
    folder = bench.create()
    before = (folder / "run.json").read_bytes()
    launch(folder, bench.trainer(folder))
    bench.ends(folder)
    assert (folder / "run.json").read_bytes() == before
    assert RunInfo.read(folder).id == folder.name
