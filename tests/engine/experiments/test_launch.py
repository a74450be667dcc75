"""A start that fails leaves runs that say so, and is never waited for."""

import os
from pathlib import Path

import pytest

from engine import config
from engine.errors import ConfigError, RunError
from engine.experiments import launch as module
from engine.experiments.launch import Request, start, start_together
from engine.experiments.plan import JOIN, NEW, RESUME, plan
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id

REQUEST = Request("student", [], "test", False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that were launched, by stage; ``broken`` stages are refused."""
    names: list[str] = []

    def launch(folder: Path, *_: object, **__: object) -> None:
        if folder.name.split("-")[0] in os.environ.get("BROKEN", ""):
            raise RunError("there is no sbatch on this machine", location="launcher", remedy="Choose launcher=local.")
        names.append(folder.name)

    monkeypatch.setattr(module, "launch", launch)
    monkeypatch.setattr("engine.jobs.store.launch", launch)
    return names


@pytest.mark.parametrize("broken", ["data", "student"])
def test_runs_whose_start_is_refused_have_failed_at_once_and_are_made_anew(
    broken: str, store: Store, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load([])
    monkeypatch.setenv("BROKEN", broken)
    with pytest.raises(RunError, match="no sbatch"):
        start(REQUEST, settings, store)
    failed = {entry.info.stage: entry for entry in store.scan() if entry.state is State.FAILED}
    assert failed.keys() == ({"data", "student"} if broken == "data" else {"student"})
    assert {entry.status.reason for entry in failed.values()} == {"there is no sbatch on this machine"}
    again = plan("student", settings, store)
    assert {step.stage.name: step.action for step in again}["student"] == NEW


def test_jobs_with_too_few_gpus_are_refused_before_any_run_is_made(store: Store, started: list[str]) -> None:
    words = ["launcher=slurm", "launcher.slurm.gpus=1", "trainer=gpu", "trainer.devices=2"]
    with pytest.raises(ConfigError, match="2 processes need a GPU each"):
        start(REQUEST, config.load(words), store)
    assert store.scan() == [] and started == []


def test_an_interrupted_start_is_no_run_at_work(
    store: Store, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "launch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(REQUEST, config.load([]), store)
    assert {entry.status.reason for entry in store.scan()} == {"its start was interrupted"}


def test_a_run_whose_starter_was_killed_is_started_by_the_next_one(store: Store, started: list[str]) -> None:
    settings = config.load([])
    (step,) = plan("data", settings, store)
    folder = store.create(RunInfo(new_id("data"), "data", "test", 1, step.fingerprint), config.dump(settings))
    (shown,) = plan("data", settings, store)
    assert shown.action == JOIN  # without the lock of planning it may be on its way
    (made,) = start(Request("data", [], "test", False), settings, store)
    assert (made.action, made.run) == (RESUME, folder.name)
    assert started == [folder.name]


def test_an_array_that_slurm_refuses_leaves_runs_that_say_so(
    store: Store, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RunError("sbatch refused: no such partition")

    monkeypatch.setattr(module, "launch_array", refuse)
    words = [["launcher=slurm", f"seed={seed}"] for seed in (1, 2)]
    requests = [(Request("student", own, "test", False), config.load(own)) for own in words]
    with pytest.raises(RunError, match="no such partition"):
        start_together(requests, store)
    entries = {entry.info.stage: entry for entry in store.scan()}
    assert len(started) == 1 and len(store.scan()) == 3  # one data run for both
    assert entries["student"].state is State.FAILED
    assert entries["student"].status.reason == "sbatch refused: no such partition"


def test_a_run_at_work_is_joined_by_a_start(store: Store, started: list[str]) -> None:
    settings = config.load([])
    (step,) = plan("data", settings, store)
    folder = store.create(RunInfo(new_id("data"), "data", "test", 1, step.fingerprint), config.dump(settings))
    with Run.open(folder):
        (made,) = start(Request("data", [], "test", False), settings, store)
    assert (made.action, started) == (JOIN, [])


def test_a_run_that_a_supervisor_has_after_all_is_not_refused(store: Store) -> None:
    folder = store.create(RunInfo(new_id("data"), "data", "test", 1, "0" * 16), config.dump(config.load([])))
    with Run.open(folder):
        store.refuse(folder, "too slow")
    store.refuse(folder, "too slow")
    assert store.entry(folder).state is State.DONE
