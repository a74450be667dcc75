"""The whole pipeline through the command line, as a person starts it, with real processes."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.schema import Process
from engine.stages import METRICS_TABLE, STUDENT_MODEL

TINY = [
    "data.world.users=80",
    "data.world.items=100",
    "data.world.series=25",
    "student.hidden=16",
    "student.batch=32",
    "evaluate.models=[popularity,oracle,student]",
    "evaluate.samples=100",
    "evaluate.timed_requests=2",
]
QUICK = [*TINY, "student.epochs=4"]


def engine(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments, "--runs", str(runs)], capture_output=True, text=True, timeout=280
    )


def states(runs: Path) -> dict[str, State]:
    """Stage -> state of its only run."""
    return {entry.info.stage: entry.state for entry in Store(runs).scan()}


def test_from_nothing_to_a_table_and_again_to_nothing_to_do(tmp_path: Path) -> None:
    done = engine("run", *QUICK, runs=tmp_path)
    assert done.returncode == 0, done.stderr
    for arguments in ("popularity (floor)", "oracle (ceiling)", "student", "seen items hidden", "targets"):
        assert arguments in done.stdout
    assert states(tmp_path) == {"data": State.DONE, "student": State.DONE, "evaluate": State.DONE}

    again = engine("run", *QUICK, runs=tmp_path)
    assert again.stdout == done.stdout
    assert "reused" in again.stderr
    assert len(Store(tmp_path).scan()) == 3

    changed = engine("run", "--plan", "--json", *QUICK, "student.dropout=0.31", runs=tmp_path)
    steps = {step["stage"]: step["action"] for step in json.loads(changed.stdout)["steps"]}
    assert steps == {"data": "reuse", "student": "new", "evaluate": "new"}

    table = tmp_path / "results.csv"
    assert engine("results", "--csv", str(table), runs=tmp_path).returncode == 0
    with table.open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"popularity", "oracle", "student"}
    needed = "experiment run data split seed model rows hide_seen hr@1 hr@5 hr@10 hr@20 ndcg@5 ndcg@10 ndcg@20 mrr"
    assert set(needed.split()) | {"train_seconds"} <= set(rows["student"])
    assert float(rows["oracle"]["ndcg@10"]) > float(rows["popularity"]["ndcg@10"])

    shown = engine("show", "student", runs=tmp_path)
    assert "val_recall@10" in shown.stdout
    assert "┤" in shown.stdout  # the curve


def wait_for(look: object, seconds: float = 60.0) -> None:
    """Until ``look()`` is true; the deadline is an error."""
    deadline = time.monotonic() + seconds
    while not look():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def student_of(runs: Path) -> Entry:
    return next(entry for entry in Store(runs).scan() if entry.info.stage == "student")


@pytest.mark.slow
def test_a_stopped_and_resumed_pipeline_ends_with_the_very_numbers_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    long = [*TINY, "student.epochs=400", "student.patience=0", "student.evaluate_every=20"]
    assert engine("run", *long, runs=whole).returncode == 0
    assert engine("run", *long, "--detach", runs=halves).returncode == 0

    def training() -> bool:
        found = [entry for entry in Store(halves).scan() if entry.info.stage == "student"]
        return bool(found and found[0].summary and found[0].summary.step > 20)

    wait_for(training)
    Store(halves).stop(student_of(halves))  # at once: a command takes a second to start
    wait_for(lambda: student_of(halves).state is State.STOPPED)
    assert engine("resume", "evaluate", runs=halves).returncode == 0
    assert states(halves) == {"data": State.DONE, "student": State.DONE, "evaluate": State.DONE}

    def made(runs: Path, stage: str, file: str) -> Path:
        return next(runs.glob(f"{stage}-*/artifacts/{file}"))

    models = [made(runs, "student", STUDENT_MODEL.file).read_bytes() for runs in (whole, halves)]
    assert models[0] == models[1]
    numbers = []
    for runs in (whole, halves):
        with made(runs, "evaluate", METRICS_TABLE.file).open(newline="") as file:
            numbers.append(
                [{name: row[name] for name in row if "@" in name or name == "mrr"} for row in csv.DictReader(file)]
            )
    assert numbers[0] == numbers[1]


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_nothing_and_the_next_run_completes(tmp_path: Path) -> None:
    chance = random.Random(20)
    arguments = [*TINY, "student.epochs=60", "student.patience=0", "student.evaluate_every=2"]
    command = [sys.executable, "-m", "engine", "run", *arguments, "--runs", str(tmp_path)]
    kills = 0
    while kills < 10:
        starter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 9.0))  # the random moment itself, not a wait for anything
        whom = chance.choice(("supervisor", "stage", "starter"))
        victims = [starter.pid] if whom == "starter" else at_work(tmp_path, whom)
        done_before = {entry.id for entry in Store(tmp_path).scan() if entry.state is State.DONE}
        for pid in victims:
            kills += 1
            with suppress(ProcessLookupError):  # it ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        if whom == "starter":
            kill_all(tmp_path)  # what it started goes on by itself: end it, so that the next start finds it dead
        wait_for(lambda: not any(entry.state.living for entry in Store(tmp_path).scan()), seconds=60)
        starter.kill()
        starter.wait()
        entries = Store(tmp_path).scan()
        assert {entry.id for entry in entries if entry.state is State.DONE} >= done_before
        assert all(entry.state in (State.DONE, State.KILLED, State.LOST, State.FAILED) for entry in entries)
        if all(entry.state is State.DONE for entry in entries) and len(entries) == 3:
            arguments[-3] = f"student.epochs={60 + kills}"  # finished under way: give the next kills something to hit
            command = [sys.executable, "-m", "engine", "run", *arguments, "--runs", str(tmp_path)]
    done = engine("run", *arguments, runs=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "student" in done.stdout


def at_work(runs: Path, whom: str) -> list[int]:
    """Process ids of the stage, or of its supervisor, that works now."""
    found = []
    for entry in Store(runs).scan():
        process = Process.read(entry.folder)
        identity = process and (process.stage if whom == "stage" else process.supervisor)
        if entry.state.living and identity and identity.alive:
            found.append(identity.pid)
    return found[:1]


def kill_all(runs: Path) -> None:
    for whom in ("stage", "supervisor"):
        for entry in Store(runs).scan():
            process = Process.read(entry.folder)
            identity = process and (process.stage if whom == "stage" else process.supervisor)
            if identity and identity.alive:
                os.kill(identity.pid, signal.SIGKILL)
