"""Machines whose clocks differ: what is at work counts as at work, what is silent as silent."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs import silence as module
from engine.jobs.silence import age
from engine.jobs.state import SILENT_ELSEWHERE, UNSTARTED, State, Status, status
from engine.runs.identity import Identity
from engine.runs.schema import PROCESS, RUN, SUMMARY, Process, RunInfo, Summary

NOW = 2_000_000_000.0
HOUR = 3600.0
FAR = Identity("far-away", "boot", 7, "42")
INFO = RunInfo(
    id="r", stage="student", experiment="x", seed=1, fingerprint="f", created=NOW - 9 * HOUR, host="far-away"
)


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass on the reader's monotonic clock."""
    at = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: at[0])

    def by(seconds: float) -> None:
        at[0] += seconds

    return by


def beat(folder: Path, hb: float, mtime: float) -> None:
    """A run at work on another machine reports at ``hb`` of its clock and ``mtime`` of the file server's."""
    Process(1, FAR, "running", hb - 10 * HOUR, FAR).write(folder)
    Summary(attempt=1, process=FAR, started=hb - HOUR, hb=hb, phase="train").write(folder)
    os.utime(folder / PROCESS, (mtime - 9 * HOUR, mtime - 9 * HOUR))
    os.utime(folder / SUMMARY, (mtime, mtime))


@pytest.mark.parametrize(
    ("hb", "mtime", "expected"),
    [
        (-5, -5, State.RUNNING),
        (-HOUR, -5, State.RUNNING),  # the writer's clock is behind
        (+HOUR, -5, State.RUNNING),  # ahead
        (-5, -HOUR, State.RUNNING),  # the file server's clock is behind
        (-5, +HOUR, State.RUNNING),
        (+HOUR, +HOUR, State.RUNNING),  # nothing to compare with: a first look takes it for fresh
        (-HOUR, -HOUR, State.STALLED),
        (+HOUR, -SILENT_ELSEWHERE - 1, State.STALLED),  # ahead, and silent since
        (-HOUR, +HOUR, State.STALLED),
    ],
)
def test_a_first_look_goes_by_the_times_that_can_be_compared(
    hb: float, mtime: float, expected: State, tmp_path: Path
) -> None:
    beat(tmp_path, NOW + hb, NOW + mtime)
    found = status(tmp_path, INFO, NOW)
    assert found.state is expected
    assert "silent for -" not in found.reason


@pytest.mark.parametrize("skew", [-HOUR, 0.0, HOUR])
def test_later_looks_go_by_the_readers_own_clock(skew: float, tmp_path: Path, wait: Callable[[float], None]) -> None:
    beat(tmp_path, NOW + skew, NOW + skew)
    status(tmp_path, INFO, NOW)
    wait(1)
    beat(tmp_path, NOW + skew + 1, NOW + skew + 1)
    assert status(tmp_path, INFO, NOW + 1).state is State.RUNNING
    wait(SILENT_ELSEWHERE - 1)
    assert status(tmp_path, INFO, NOW + SILENT_ELSEWHERE).state is State.RUNNING
    wait(2)
    assert "silent for 121 s" in status(tmp_path, INFO, NOW + SILENT_ELSEWHERE + 2).reason
    beat(tmp_path, NOW + skew + 500, NOW + skew + 500)
    assert status(tmp_path, INFO, NOW + 500).state is State.RUNNING


def test_a_heartbeat_from_the_future_ages_once_it_is_seen(tmp_path: Path, wait: Callable[[float], None]) -> None:
    beat(tmp_path, NOW + HOUR, NOW + HOUR)
    assert status(tmp_path, INFO, NOW).state is State.RUNNING
    wait(SILENT_ELSEWHERE + 1)
    assert status(tmp_path, INFO, NOW + SILENT_ELSEWHERE + 1).state is State.STALLED


def test_the_readers_clock_may_jump(tmp_path: Path, wait: Callable[[float], None]) -> None:
    for step in range(3):
        beat(tmp_path, NOW + step, NOW + step)
        found = status(tmp_path, INFO, NOW + (HOUR if step == 2 else step))
        wait(1)
    assert found.state is State.RUNNING


def test_a_planned_run_of_another_machine_is_as_old_as_its_file(tmp_path: Path) -> None:
    ahead, behind = replace(INFO, created=NOW + HOUR), replace(INFO, created=NOW - HOUR)
    for info in (ahead, behind):
        info.write(tmp_path)
        os.utime(tmp_path / RUN, (NOW - UNSTARTED + 1, NOW - UNSTARTED + 1))
        assert status(tmp_path, info, NOW).state is State.WAITING
        os.utime(tmp_path / RUN, (NOW - UNSTARTED - 1, NOW - UNSTARTED - 1))
        assert status(tmp_path, info, NOW) == Status(State.LOST, "planned, but never started")


def test_an_age_is_never_negative() -> None:
    assert age(NOW, NOW + 5) == 0.0
    assert age(NOW, NOW + 5, NOW - 3, NOW - 7) == 3.0
