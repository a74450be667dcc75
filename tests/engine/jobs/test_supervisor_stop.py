"""Requests to stop and to kill a run, at work and while it waits."""

import json
import os
import signal
from typing import Any

import pytest

from engine.jobs.starter import launch
from engine.runs.reader import history
from engine.runs.schema import Slots
from tests.fixtures.jobs import REPORTS, SLEEP, exit_of, process_of, stage_of, trained_once


def test_a_stopped_run_saves_its_work_and_goes_on_from_there(bench: Any) -> None:
    folder = bench.create()
    launch(folder, bench.trainer(folder, 0.05))
    bench.until(lambda: history(folder).series.get("loss"))
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"
    assert (exit_of(folder).code, exit_of(folder).by) == (143, "user")
    saved = json.loads((folder / "checkpoints" / "state.json").read_text())[0]
    assert 1 <= saved < 40
    bench.store.resume(bench.store.entry(folder), bench.trainer(folder))
    assert bench.ends(folder) == "DONE"
    assert trained_once(folder)
    assert (exit_of(folder).attempt, history(folder).attempt) == (2, 2)
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
    reason = "did not end within 0.2 s of the request to stop, so it was killed"
    assert bench.store.entry(folder).status.reason == reason


def test_a_stage_without_a_signal_handler_is_stopped(bench: Any) -> None:
    folder = bench.start(SLEEP)
    stage_of(bench, folder)
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"


def test_a_run_can_be_killed_at_once(bench: Any) -> None:
    folder = bench.start(REPORTS)
    bench.until(lambda: bench.store.entry(folder).summary)
    bench.store.stop(bench.store.entry(folder), "kill")
    assert bench.ends(folder) == "KILLED"
    assert (bench.store.entry(folder).status.reason, exit_of(folder).by) == ("killed on request", "user")


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
    os.kill(process_of(folder).supervisor.pid, signal.SIGKILL)
    bench.until(lambda: not process_of(folder).supervisor.alive)
    bench.store.stop(bench.store.entry(folder))
    assert bench.ends(folder) == "STOPPED"
