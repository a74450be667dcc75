import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs import state
from engine.jobs.state import SILENT, SILENT_ELSEWHERE, UNSTARTED, State, Status, ended, status
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Process, RunInfo, Summary

NOW = 1_000_000.0
ALIVE = Identity.of(os.getpid())
DEAD = replace(ALIVE, start="1")
REBOOTED = replace(ALIVE, boot="an earlier one")
FAR = Identity("far-away", "boot", 7, "42")
INFO = RunInfo(id="r", stage="student", experiment="x", seed=1, fingerprint="f", created=NOW - 100)


def process(
    phase: str = "running",
    supervisor: Identity = ALIVE,
    stage: Identity | None = ALIVE,
    attempt: int = 1,
    t: float = NOW - 1000,
) -> Process:
    return Process(attempt, supervisor, phase, t, stage if phase == "running" else None)


def summary(hb: float = NOW, ended: str = "", attempt: int = 1, who: Identity = ALIVE, error: str = "") -> Summary:
    return Summary(attempt=attempt, process=who, started=NOW - 50, hb=hb, phase="train", ended=ended, error=error)


def end(
    code: int | None = None, signal: int | None = None, by: str = "self", reason: str = "", oom: bool = False
) -> Exit:
    return Exit(attempt=1, code=code, signal=signal, by=by, reason=reason, wall=1, max_rss=1, oom=oom, t=NOW)


CASES: dict[str, tuple[Process | None, Summary | None, State, str]] = {
    "waits for its inputs": (process("waiting"), None, State.WAITING, "for its inputs"),
    "waits for a slot": (process("queued"), None, State.QUEUED, "for a free slot"),
    "waits on another machine": (process("waiting", FAR), None, State.WAITING, "for its inputs on far-away"),
    "was waiting when its supervisor died": (process("waiting", DEAD), None, State.LOST, "gone"),
    "was queued when the machine stopped": (process("queued", REBOOTED), None, State.LOST, "started again"),
    "has just begun and reported nothing": (process(t=NOW - 5), None, State.RUNNING, ""),
    "works": (process(), summary(), State.RUNNING, ""),
    "works, its clock a little ahead": (process(), summary(hb=NOW + 60), State.RUNNING, ""),
    "is silent": (process(), summary(hb=NOW - SILENT - 1), State.STALLED, "silent for 31 s; last: train"),
    "has never reported anything": (process(), None, State.STALLED, "silent for 1000 s; last: starting"),
    "works without its supervisor": (process(supervisor=DEAD), summary(), State.RUNNING, "supervisor is gone"),
    "is being collected": (process(stage=DEAD), summary(ended="done"), State.RUNNING, ""),
    "reported that it is done": (process("running", DEAD, DEAD), summary(ended="done"), State.DONE, ""),
    "reported that it stopped": (process("running", DEAD, DEAD), summary(ended="stopped"), State.STOPPED, ""),
    "reported why it failed": (
        process("running", DEAD, DEAD),
        summary(ended="failed", error="file: no room\nMake room."),
        State.FAILED,
        "file: no room",
    ),
    "died unseen": (process("running", DEAD, DEAD), summary(), State.LOST, "recorded no end"),
    "was at work when the machine stopped": (
        process("running", REBOOTED, REBOOTED),
        summary(who=REBOOTED),
        State.LOST,
        "started again",
    ),
    "works on another machine": (process("running", FAR, FAR), summary(hb=NOW - 60), State.RUNNING, "on far-away"),
    "is silent on another machine": (
        process("running", FAR, FAR),
        summary(hb=NOW - SILENT_ELSEWHERE - 1),
        State.STALLED,
        "on far-away, silent for 121 s",
    ),
    "reported on another machine that it is done": (
        process("running", FAR, FAR),
        summary(ended="done"),
        State.DONE,
        "",
    ),
    "was started by hand and works": (None, summary(), State.RUNNING, ""),
    "was started by hand and is done": (None, summary(ended="done", who=DEAD), State.DONE, ""),
    "was started by hand and died": (None, summary(who=DEAD), State.LOST, "recorded no end"),
    "waits again, its last attempt stopped": (
        process("waiting", attempt=2),
        summary(ended="stopped"),
        State.WAITING,
        "for its inputs",
    ),
    "died in its second attempt before it reported anything": (
        process("running", DEAD, DEAD, attempt=2),
        summary(ended="done", who=DEAD),
        State.LOST,
        "recorded no end",
    ),
    "was resumed by hand": (process("running", DEAD, DEAD), summary(attempt=2), State.RUNNING, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_status_follows_from_the_records_and_processes(tmp_path: Path, case: str) -> None:
    before, reported, expected, reason = CASES[case]
    if before:
        before.write(tmp_path)
    if reported:
        reported.write(tmp_path)
    found = status(tmp_path, INFO, NOW)
    assert found.state is expected
    assert reason in found.reason
    assert bool(reason) == bool(found.reason)


def test_a_planned_run_has_ten_seconds_to_be_taken_up(tmp_path: Path) -> None:
    young = replace(INFO, created=NOW - UNSTARTED + 1)
    assert status(tmp_path, young, NOW).state is State.WAITING
    assert status(tmp_path, replace(young, created=NOW - UNSTARTED - 1), NOW) == Status(
        State.LOST, "planned, but never started"
    )


@pytest.mark.parametrize(
    ("record", "expected", "reason"),
    [
        (end(code=0), State.DONE, ""),
        (end(code=0, by="user"), State.DONE, ""),  # it was done before the request reached it
        (end(code=1, reason="ValueError: x\nmore"), State.FAILED, "ValueError: x"),
        (end(code=2, by="user", reason="x"), State.FAILED, "x"),  # went wrong while stopping
        (end(code=3), State.FAILED, "exit status 3"),
        (end(code=143, by="user", reason="stopped on request"), State.STOPPED, "stopped on request"),
        (end(code=143), State.STOPPED, ""),  # after an evaluation, asked by a file
        (end(signal=15, by="user"), State.STOPPED, ""),
        (end(by="user", reason="stopped before it began"), State.STOPPED, "stopped before it began"),
        (end(signal=9, by="user", reason="killed on request"), State.KILLED, "killed on request"),
        (end(signal=15), State.KILLED, "signal 15 (SIGTERM)"),
        (end(signal=11), State.KILLED, "signal 11 (SIGSEGV)"),
        (end(signal=9, oom=True, reason="out of memory"), State.KILLED, "out of memory"),
        (end(by="inputs", reason="needs data-1, which is FAILED"), State.FAILED, "needs data-1, which is FAILED"),
        (end(signal=250), State.KILLED, "signal 250"),
    ],
)
def test_the_status_follows_from_a_recorded_end(tmp_path: Path, record: Exit, expected: State, reason: str) -> None:
    assert ended(record) == Status(expected, reason)
    record.write(tmp_path)
    process().write(tmp_path)  # the record of an end outweighs what was there before it
    assert status(tmp_path, INFO, NOW) == Status(expected, reason)


def test_an_end_recorded_between_two_looks_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process("running", DEAD, DEAD).write(tmp_path)
    read = Summary.read

    def late(folder: Path) -> Summary | None:
        end(code=0).write(folder)  # the supervisor records the end and is gone while we read
        return read(folder)

    monkeypatch.setattr(state.Summary, "read", late)
    assert status(tmp_path, INFO, NOW).state is State.DONE


def test_living_states_are_those_that_may_still_change_by_themselves() -> None:
    assert {state for state in State if state.living} == {State.WAITING, State.QUEUED, State.RUNNING, State.STALLED}


def test_signals_have_names() -> None:
    assert state.signal_name(signal.SIGKILL) == "signal 9 (SIGKILL)"
