"""Sudden deaths of supervisors and stages."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.jobs.environment import stage_environment
from engine.jobs.starter import launch
from engine.jobs.state import State
from engine.stages import STUDENT_MODEL
from tests.fixtures.jobs import SLEEP, STARTER, process_of, stage_of, trained_once


def test_a_stage_outlives_its_supervisor_and_is_done(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.02))
    stage_of(bench, folder)
    os.kill(process_of(folder).supervisor.pid, signal.SIGKILL)
    bench.until(lambda: bench.store.entry(folder).status.reason == "its supervisor is gone")
    assert bench.state(folder) == "RUNNING"
    assert bench.ends(folder) == "DONE"
    assert not (folder / "exit.json").exists()
    assert trained_once(folder)


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


def test_a_stage_that_is_killed_before_it_begins_is_killed_not_failed(bench: Any) -> None:
    folder = bench.create()
    done = subprocess.run([sys.executable, "-c", KILLED_AT_ONCE, str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.state(folder) == "KILLED"


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


def test_whoever_is_killed_at_any_moment_the_state_is_right_and_the_work_can_be_completed(bench: Any) -> None:
    """Ten runs at once; the supervisor, the stage, both or the starter of each gets SIGKILL at a random moment."""
    chance = random.Random(7)
    victims = ["supervisor", "stage", "both", "starter", "supervisor", "stage", "both", "starter", "stage", "starter"]
    runs: list[tuple[str, Path, subprocess.Popen[bytes] | None, float]] = []
    for victim in victims:
        folder, starter = bench.create(), None
        command = bench.trainer(folder, 0.02)
        if victim == "starter":  # it may die before it has launched anything
            arguments = [sys.executable, "-c", STARTER, str(folder), *command]
            starter = subprocess.Popen(arguments, env=stage_environment(os.environ), stdout=subprocess.DEVNULL)
        else:
            launch(folder, command)
        runs.append((victim, folder, starter, time.monotonic() + chance.uniform(0.0, 1.5)))
    deaths: dict[Path, float] = {}
    for victim, folder, starter, moment in sorted(runs, key=lambda run: run[3]):
        bench.until(lambda moment=moment: time.monotonic() >= moment)
        if starter:
            starter.kill()
            starter.wait()
        else:
            known = process_of(folder)
            for identity in (known.supervisor, known.stage):
                wanted = victim == "both" or (identity is known.supervisor) == (victim == "supervisor")
                if wanted and identity and identity.alive:
                    os.kill(identity.pid, signal.SIGKILL)
        deaths[folder] = time.monotonic()
    for victim, folder, _, _ in sorted(runs, key=lambda run: run[0] in ("starter", "supervisor")):
        # Work that goes on may take its time; dead work must be recognised within ten seconds.
        dead = victim in ("stage", "both")
        ended = bench.ends(folder, seconds=max(deaths[folder] + 10 - time.monotonic(), 0) if dead else 60)
        possible = {"stage": ("KILLED", "DONE"), "starter": ("DONE", "LOST")}.get(victim, ("LOST", "DONE", "KILLED"))
        assert ended in possible, victim
        model = folder / "artifacts" / STUDENT_MODEL.file
        assert model.exists() or ended != "DONE"
        assert not model.exists() or model.read_text() == str(sum(range(41)))  # whole where it exists
    for _, folder, _, _ in runs:
        entry = bench.store.entry(folder)
        if entry.state is not State.DONE:
            bench.store.resume(entry, bench.trainer(folder))
    for _, folder, _, _ in runs:
        assert bench.ends(folder) == "DONE"
        assert trained_once(folder)
        assert not list(folder.glob("*/.scratch/*"))


def test_a_reused_process_number_does_not_revive_a_dead_run(bench: Any) -> None:
    folder = bench.start(SLEEP)
    stage = stage_of(bench, folder)
    before = process_of(folder)
    for pid in (before.supervisor.pid, stage.pid):
        os.kill(pid, signal.SIGKILL)
    bench.until(lambda: not stage.alive)
    mine = os.getpid()
    replace(before, supervisor=replace(before.supervisor, pid=mine), stage=replace(stage, pid=mine)).write(folder)
    assert bench.state(folder) == "LOST"
