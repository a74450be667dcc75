"""``engine stop`` over real supervisors."""

import sys
import time
from pathlib import Path

import pytest

from engine.cli import main
from engine.jobs.starter import launch
from engine.jobs.store import Store
from engine.runs.schema import Exit, RunInfo, new_id


def test_a_run_that_has_ended_does_not_keep_the_others_at_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    ended, other, working = (
        store.create(RunInfo(new_id("student"), "student", "test", 1, "f" * 8), "seed: 1\n") for _ in range(3)
    )
    for folder in (ended, other):
        Exit(1, 0, None, "self", "", 60.0, 10**6, False, time.time()).write(folder)
    launch(working, [sys.executable, "-c", "import time; time.sleep(600)"])
    code = main(["stop", "--runs", str(tmp_path), ended.name, working.name, other.name])
    said = capsys.readouterr().err
    assert code == 2
    assert all(f"{folder.name} is not at work, it is DONE" in said for folder in (ended, other))
    deadline = time.monotonic() + 30
    while store.entry(working).state.living:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert store.entry(working).state == "STOPPED"
